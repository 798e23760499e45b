"""Deciding on proposals."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, text

from studio.assistant import actions
from studio.assistant.errors import PriceChanged, ProposalClosed
from studio.assistant.models import Action
from studio.contexts.scheduling import rooms
from studio.contexts.scheduling.errors import RoomTaken
from studio.contexts.scheduling.models import Booking
from studio.errors import NotFound

WANTED = "book Studio A tomorrow 14-18 for Nora Lind"


@pytest.fixture
def card(place):
    """The card of a proposal."""
    [card] = place.ask(WANTED).actions
    return card


@pytest.fixture
def decide(place):
    def run(verb, card, *, user_id="owner", key=None):
        with place.session() as db, db.begin():
            return verb(db, card.public_id, user_id=user_id, key=key or card.key, now=place.clock())

    return run


def bookings(place) -> int:
    with place.session() as db:
        return db.scalar(select(func.count()).select_from(Booking).where(Booking.source == "assistant"))


def test_a_proposal_shows_all_and_books_nothing(place, card):
    assert (card.room, card.client, card.price_minor, card.currency, card.state) == ("Studio A", "Nora Lind", 20000, "EUR", "proposed")
    assert bookings(place) == 0


def test_a_confirmed_proposal_is_booked_in_the_persons_name(place, card, decide):
    done = decide(actions.confirm, card)

    with place.session() as db:
        booking = db.scalars(select(Booking)).one()
    assert (done.state, done.booking, done.booking_code) == ("confirmed", booking.public_id, f"B-{booking.number}")
    assert (booking.source, booking.created_by, booking.price_minor) == ("assistant", "owner", 20000)


def test_confirming_again_gives_the_same_booking(place, card, decide):
    assert decide(actions.confirm, card) == decide(actions.confirm, card)
    assert bookings(place) == 1


def test_confirming_many_times_at_once_books_once(place, card, decide):
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: decide(actions.confirm, card), range(8)))

    assert len({view.booking for view in done}) == 1
    assert bookings(place) == 1


def test_a_room_taken_in_the_meantime_is_reported_and_the_proposal_stays_open(place, card, decide):
    place.book(15, 1)

    with pytest.raises(RoomTaken, match=r"Studio A is booked .* by Luna Park"):
        decide(actions.confirm, card)

    assert bookings(place) == 0
    with place.session() as db:
        assert actions.show(db, card.public_id, user_id="owner", now=place.clock()).state == "proposed"


def test_a_price_that_changed_is_refused_and_nothing_is_booked(place, card, decide):
    with place.session() as db, db.begin():
        rooms.set_hourly(db, {1: 9000})

    with pytest.raises(PriceChanged) as refused:
        decide(actions.confirm, card)

    assert (refused.value.shown_minor, refused.value.now_minor, bookings(place)) == (20000, 36000, 0)


def test_a_rejected_proposal_cannot_be_confirmed(place, card, decide):
    assert decide(actions.reject, card).state == "rejected"
    assert decide(actions.reject, card).state == "rejected"

    with pytest.raises(ProposalClosed):
        decide(actions.confirm, card)
    assert bookings(place) == 0


def test_a_confirmed_proposal_cannot_be_rejected(card, decide):
    decide(actions.confirm, card)

    with pytest.raises(ProposalClosed):
        decide(actions.reject, card)


def test_a_proposal_runs_out_after_fifteen_minutes(place, card, decide):
    place.clock.advance(seconds=15 * 60)

    with pytest.raises(ProposalClosed) as refused:
        decide(actions.confirm, card)

    assert (refused.value.state, bookings(place)) == ("expired", 0)


@pytest.mark.parametrize("verb", [actions.confirm, actions.reject])
def test_nobody_else_decides_and_nothing_but_the_shown_card_is_decided(place, card, decide, verb):
    with pytest.raises(NotFound):
        decide(verb, card, user_id="stranger")
    with pytest.raises(NotFound):
        decide(verb, card, key="0" * 64)

    assert bookings(place) == 0


def test_a_stranger_does_not_see_a_card(place, card):
    with place.session() as db, pytest.raises(NotFound):
        actions.show(db, card.public_id, user_id="stranger", now=place.clock())


def test_a_proposal_changed_behind_the_card_is_not_executed(place, card, decide):
    with place.session() as db, db.begin():
        row = db.scalars(select(Action)).one()
        row.arguments = {**row.arguments, "price_minor": 1}

    with pytest.raises(NotFound):
        decide(actions.confirm, card)

    assert bookings(place) == 0


def test_only_the_four_states_can_be_stored(place, card):
    with place.session() as db, pytest.raises(Exception, match="assistant_action_state"):
        db.execute(text("UPDATE assistant_action SET state = 'executed'"))
