"""The public page and booking without an account."""

from __future__ import annotations

import html
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from studio.contexts.scheduling import queries, rooms, service
from studio.contexts.scheduling.rooms import RoomInput
from studio.contexts.scheduling.service import ClientInput
from studio.contexts.scheduling.values import Opening, Source, Span, State
from studio.platform.models import OutboundMail


@pytest.fixture
def look(services, studio):
    """Runs a function on the studio's database."""

    def run(function):
        with services.database.tenancy.use(studio.key), services.database.studio() as db:
            return function(db)

    return run


@pytest.fixture
def room(look) -> queries.RoomView:
    """Studio A, open around the clock at 50 an hour."""

    def make(db):
        rooms.save_room(db, RoomInput(public_id=None, version=None, name="Studio A", kind="live", capacity=4))
        rooms.set_opening(db, [Opening(room_id=None, weekday=d, opens_minute=0, closes_minute=1440) for d in range(7)])
        rooms.set_hourly(db, {r.id: 5000 for r in queries.rooms(db)})
        return queries.rooms(db)[0]

    return look(make)


@pytest.fixture
def start() -> datetime:
    return (datetime.now(UTC) + timedelta(days=3)).replace(hour=12, minute=0, second=0, microsecond=0)


def given(room, start, **more) -> dict[str, str]:
    facts = {"token": "token-0001", "room": room.public_id, "start": start.isoformat(), "minutes": "120"}
    return facts | {"name": "Luna Park", "email": "luna@example.com"} | more


def all_bookings(db):
    now = datetime.now(UTC)
    return queries.bookings(db, Span(starts_at=now, ends_at=now + timedelta(days=99)), with_cancelled=True)


def test_the_page_shows_rooms_prices_and_hours_to_anyone(visitor, room):
    page = visitor.get("/")

    assert page.status_code == 200
    assert "Studio A" in page.text
    assert "50.00" in page.text
    assert "all day" in page.text


def test_an_empty_studio_says_so(visitor):
    assert "still being set up" in visitor.get("/").text
    assert "still being set up" in visitor.get("/book").text


def test_the_choices_lead_by_links_from_the_room_to_a_priced_form(visitor, room, start):
    links = re.findall(r'href="(/book[^"#]*)', html.unescape(visitor.get("/book").text))
    day = next(link for link in links if f"day={start.date().isoformat()}" in link)
    starts = re.findall(r'href="(/book[^"#]*start=[^"#]*)', html.unescape(visitor.get(day).text))

    chosen = visitor.get(starts[0])
    longer = visitor.get(f"{starts[0]}&minutes=180")

    assert "Book for €100.00" in chosen.text
    assert "Book for €150.00" in longer.text
    assert 'name="minutes" value="180"' in longer.text


def test_a_booking_is_made_shown_and_mailed_once(visitor, room, start, look, services):
    answer = visitor.post("/book", data=given(room, start))
    page = visitor.get(answer.location)

    [made] = look(all_bookings)
    assert answer.status_code == 303
    assert answer.location == f"/book/{made.public_id}"
    assert (made.source, made.state, made.client.email, made.price_minor) == (Source.public, State.confirmed, "luna@example.com", 10000)
    assert "Studio A is yours" in page.text
    with services.database.control() as db:
        [mail] = db.scalars(select(OutboundMail).where(OutboundMail.key == f"booking-confirmed:{made.public_id}"))
        assert mail.recipient == "luna@example.com"
        assert f"/book/{made.public_id}" in mail.text
        assert "Studio A is booked" in mail.subject


def test_pressing_the_button_many_times_books_once(app, studio, client_of, room, start, look):
    def press(_n):
        return client_of(studio, signed_in=False).post("/book", data=given(room, start)).location

    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(press, range(4)))

    assert len(answers) == 1
    assert len(look(all_bookings)) == 1


def test_a_slot_taken_meanwhile_is_refused_without_a_name_and_with_the_next_one(visitor, room, start, look):
    look(
        lambda db: service.create_booking(
            db, room=room.public_id, span=Span(starts_at=start, ends_at=start + timedelta(hours=2)), source=Source.staff,
            now=datetime.now(UTC), client=ClientInput(name="Secret Band"),
        )
    )  # fmt: skip

    refused = visitor.post("/book", data=given(room, start))

    text = html.unescape(refused.text)
    assert refused.status_code == 409
    assert "Studio A is already booked" in text
    assert "Secret Band" not in text
    offer = re.search(r'href="(/book\?[^"]*minutes=120[^"]*)#you"', text)
    assert "Book for €100.00" in visitor.get(offer[1]).text


def test_a_form_with_mistakes_keeps_the_choice(visitor, room, start, look):
    answer = visitor.post("/book", data=given(room, start, name="", email="nonsense"))

    assert answer.status_code == 422
    assert "Enter your name." in answer.text
    assert 'name="minutes" value="120"' in answer.text
    assert look(all_bookings) == []


@pytest.mark.parametrize(
    "facts",
    [{"start": "yesterday"}, {"start": "2026-01-01T10:00"}, {"minutes": "-5"}, {"minutes": "99999"}, {"start": "9999-12-31T23:59+00:00"}],
)
def test_hand_written_choices_never_break_the_page(visitor, room, start, facts, look):
    asked = given(room, start) | facts

    assert visitor.post("/book", data=asked).status_code in {409, 422}
    assert visitor.get("/book", query_string=asked).status_code == 200
    assert look(all_bookings) == []


def test_an_unknown_room_or_booking_is_not_found(visitor, room, start):
    assert visitor.get("/book?room=nope").status_code == 404
    assert visitor.post("/book", data=given(room, start) | {"room": "nope"}).status_code == 404
    assert visitor.get("/book/nope").status_code == 404
    assert visitor.get("/book/nope/calendar.ics").status_code == 404


def test_a_room_that_is_not_public_cannot_be_booked(visitor, room, start, look):
    look(
        lambda db: rooms.save_room(
            db, RoomInput(public_id=room.public_id, version=None, name="Studio A", kind="live", capacity=4, is_public=False)
        )
    )

    assert visitor.get(f"/book?room={room.public_id}").status_code == 404
    assert "cannot be booked online" in visitor.post("/book", data=given(room, start)).text


def test_a_booking_made_by_staff_has_no_public_page(visitor, room, start, look):
    made = look(
        lambda db: service.create_booking(
            db,
            room=room.public_id,
            span=Span(starts_at=start, ends_at=start + timedelta(hours=2)),
            source=Source.staff,
            now=datetime.now(UTC),
        )
    )

    assert visitor.get(f"/book/{made.public_id}").status_code == 404


def test_a_visitor_cancels_and_the_slot_is_free_again(visitor, room, start, look):
    address = visitor.post("/book", data=given(room, start)).location
    cancelled = visitor.post(f"{address}/cancellation")
    page = visitor.get(address)
    again = visitor.post("/book", data=given(room, start, token="token-0002"))

    assert cancelled.status_code == 303
    assert "Your booking is cancelled" in page.text
    assert again.status_code == 303
    assert {b.state for b in look(all_bookings)} == {State.cancelled, State.confirmed}


def test_a_booking_without_a_csrf_token_is_refused(visitor, room, start, look):
    assert visitor.post("/book", data=given(room, start), token=False).status_code == 400
    assert look(all_bookings) == []


def test_the_booking_fits_into_a_calendar(visitor, room, start):
    address = visitor.post("/book", data=given(room, start)).location

    answer = visitor.get(f"{address}/calendar.ics")

    assert answer.mimetype == "text/calendar"
    assert f"DTSTART:{start.strftime('%Y%m%dT%H%M%SZ')}\r\n" in answer.text
    assert "STATUS:CONFIRMED\r\n" in answer.text


def test_a_studio_whose_plan_lapsed_takes_no_bookings(visitor, studio, services, room, start, look):
    with services.database.control() as control:
        services.database.tenancy.read_only(control, studio.key, reason="unpaid")

    refused = visitor.post("/book", data=given(room, start))

    assert refused.status_code == 409
    assert look(all_bookings) == []
