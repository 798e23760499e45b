"""Card payments of a studio's clients: set up in plain words, asked by a link, paid once, given back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from werkzeug.test import Client

from studio.contexts.scheduling import queries, rooms, service
from studio.contexts.scheduling.values import Opening, Source, Span
from studio.payments import words
from studio.payments.fee import fee_minor
from studio.payments.service import State
from studio.platform.models import OutboundMail

HERE, SETUP = "/app/payments", "/app/payments/setup"
CARD = {"email": "luna@example.com", "name": "Luna", "number": "4242424242424242", "expiry": "12/40", "cvc": "123"}


@pytest.fixture
def said():
    """A page's words, its spaces made one."""
    return lambda answer: " ".join(answer.text.split())


@pytest.fixture
def connect(services, studio):
    return services.billing.account(studio.key).connect


@pytest.fixture
def set_up(offline_stripe, studio_client):
    """The owner has told the payment service everything."""

    def answer_everything() -> None:
        page = studio_client.post(SETUP, data={"country": "FR"})
        assert Client(offline_stripe.wsgi_app).post(urlsplit(page.location).path).status_code == 303
        assert studio_client.get(f"{SETUP}/return").status_code == 303

    return answer_everything


@pytest.fixture
def asked(studio_client):
    """The public id of a new request."""

    def ask(**other: str) -> str:
        wish = {"key": "form-0001", "client_name": "Luna Park", "client_email": "luna@example.com", "description": "Deposit for 3 March"}
        made = studio_client.post(f"{HERE}/new", data=wish | {"amount": "50", "reference": "B-1001"} | other)
        assert made.status_code == 303, made.text
        return made.location.rpartition("/")[2]

    return ask


@pytest.fixture
def paid(asked, set_up, visitor, offline_stripe):
    """A request that the client has paid."""

    def pay() -> str:
        set_up()
        public_id = asked()
        page = visitor.post(f"/pay/{public_id}")
        assert Client(offline_stripe.wsgi_app).post(urlsplit(page.location).path, data=CARD).status_code == 303
        assert visitor.get(f"/pay/{public_id}/return").status_code == 303
        return public_id

    return pay


def test_setting_up_says_at_each_step_what_is_missing(studio_client, offline_stripe, said):
    offered = said(studio_client.get(SETUP))
    page = studio_client.post(SETUP, data={"country": "FR"}).location
    unfinished = said(studio_client.get(f"{SETUP}/return", follow_redirects=True))
    Client(offline_stripe.wsgi_app).post(urlsplit(page).path)
    done = said(studio_client.get(f"{SETUP}/return", follow_redirects=True))

    assert ">1 %<" in offered
    assert "of each payment, for us" in offered
    assert "that is €1.00" in offered
    assert "Still missing" in unfinished
    assert "The bank account that the money goes to" in unfinished
    assert "external_account" not in unfinished
    assert "Your clients can pay by card." in done


def test_a_country_must_be_one_where_it_works(studio_client, said):
    assert "Choose your country." in said(studio_client.post(SETUP, data={"country": "XX"}, follow_redirects=True))


def test_a_studio_that_may_not_charge_any_more_is_told_and_its_clients_too(
    set_up, asked, studio_client, visitor, offline_stripe, services, studio, connect, said
):
    set_up()
    public_id = asked()
    account = next(one for one in offline_stripe.client().v1.accounts.list().data if one.metadata["account"] == studio.key)
    offline_stripe.restrict(account.id)
    connect.sync()
    restricted = said(studio_client.get(SETUP))
    at_the_link = said(visitor.get(f"/pay/{public_id}"))
    pressed = said(visitor.post(f"/pay/{public_id}", follow_redirects=True))
    offline_stripe.deauthorize(account.id)
    connect.sync()

    assert "Card payments are stopped" in restricted
    assert "not possible at the moment" in at_the_link
    assert "not possible at the moment" in pressed
    assert "Card payments are disconnected." in said(studio_client.get(SETUP))


def test_a_client_pays_behind_the_link_and_the_studio_sees_it(paid, studio_client, visitor, offline_stripe, said):
    public_id = paid()

    assert "Paid. Thank you!" in said(visitor.get(f"/pay/{public_id}"))
    assert 'chip-success">paid' in studio_client.get(HERE).text
    assert offline_stripe.client().v1.application_fees.list().data[0].amount == 50
    again = visitor.post(f"/pay/{public_id}")
    assert urlsplit(again.location).path == f"/pay/{public_id}"


def test_money_goes_back_in_parts_and_never_more_than_came(paid, studio_client, said, connect):
    public_id = paid()
    where = f"{HERE}/{public_id}/refund"

    too_much = said(studio_client.post(where, data={"key": "refund-0001", "amount": "50.01"}, follow_redirects=True))
    part = said(studio_client.post(where, data={"key": "refund-0002", "amount": "20"}, follow_redirects=True))
    twice = said(studio_client.post(where, data={"key": "refund-0002", "amount": "20"}, follow_redirects=True))
    rest = said(studio_client.post(where, data={"key": "refund-0003", "amount": "30"}, follow_redirects=True))

    assert "at most €50.00" in too_much
    assert "partly given back" in part
    assert "€20.00" in twice
    assert connect.payment(f"request:{public_id}").refunded_minor == 5000
    assert "given back" in rest
    assert "Give money back" not in rest


def test_the_link_is_sent_once_for_each_press(asked, studio_client, services, said):
    public_id = asked()
    page = said(studio_client.post(f"{HERE}/{public_id}/mail", follow_redirects=True))

    with services.database.control() as db:
        mails = db.scalars(select(OutboundMail).where(OutboundMail.key.startswith(f"payment-request:{public_id}"))).all()
    assert "The link is on its way." in page
    assert [(one.recipient, f"/pay/{public_id}" in one.text) for one in mails] == [("luna@example.com", True)]


def test_without_an_address_the_link_is_copied(asked, studio_client, said):
    public_id = asked(client_email="")

    assert "Copy the link instead." in said(studio_client.post(f"{HERE}/{public_id}/mail", follow_redirects=True))


def test_a_withdrawn_request_cannot_be_paid(asked, set_up, studio_client, visitor, said):
    set_up()
    public_id = asked()
    studio_client.post(f"{HERE}/{public_id}/withdrawal")

    assert "nothing to pay here any more" in said(visitor.get(f"/pay/{public_id}"))
    assert urlsplit(visitor.post(f"/pay/{public_id}").location).path == f"/pay/{public_id}"


def test_what_the_client_has_open_or_paid_is_not_withdrawn(asked, set_up, studio_client, visitor, said):
    set_up()
    public_id = asked()
    visitor.post(f"/pay/{public_id}")

    assert "can stay so for a day" in said(studio_client.post(f"{HERE}/{public_id}/withdrawal", follow_redirects=True))


def test_a_form_sent_twice_asks_once(asked):
    assert asked() == asked()


@pytest.mark.parametrize(("amount", "email"), [("0", "a@example.com"), ("-1", "a@example.com"), ("5.001", ""), ("", ""), ("5", "nobody")])
def test_nonsense_is_not_asked(studio_client, amount, email):
    wish = {"key": "form-0009", "client_name": "Luna", "client_email": email, "description": "Deposit", "amount": amount}

    assert studio_client.post(f"{HERE}/new", data=wish).status_code == 200


def test_a_form_for_a_booking_knows_all_about_it(studio_client, studio, services, said):
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=2)
    with services.database.tenancy.use(studio.key), services.database.studio() as db:
        room = rooms.save_room(db, rooms.RoomInput(public_id=None, version=None, name="Studio A", kind="live", capacity=4, description=""))
        rooms.set_opening(db, [Opening(room_id=None, weekday=day, opens_minute=0, closes_minute=1440) for day in range(7)])
        rooms.set_hourly(db, {found.id: 4000 for found in queries.rooms(db)})
        booking = service.create_booking(
            db, room=room, span=Span(starts_at=start, ends_at=start + timedelta(hours=2)), source=Source.staff,
            now=datetime.now(UTC), client=service.ClientInput(name="Luna Park", email="luna@example.com"),
        )  # fmt: skip

    page = said(studio_client.get(f"{HERE}/new?booking={booking.public_id}"))

    assert all(f'value="{value}"' in page for value in (booking.code, "80.00", "Luna Park", "luna@example.com"))


@given(st.integers(min_value=1, max_value=100_000_000))
def test_the_fee_is_a_hundredth_and_never_more_than_the_amount(amount):
    assert abs(fee_minor(amount) * 100 - amount) <= 50
    assert 0 <= fee_minor(amount) <= amount


def test_what_is_missing_is_named_once_and_never_in_the_services_own_words(app):
    names = ("individual.dob.day", "individual.dob.month", "person_1.verification.document", "external_account", "tos_acceptance.ip", "x.y")
    with app.studio.test_request_context("/"):
        found = words.missing(names)

    assert len(found) == 5
    assert not [one for one in found if "." in one or "_" in one]


def test_every_state_has_words(app):
    with app.studio.test_request_context("/"):
        assert set(words.states()) == set(State)
