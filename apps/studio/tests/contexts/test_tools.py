"""What the assistant may do with rooms and bookings."""

from datetime import datetime

import pytest

from studio.contexts.scheduling import queries, service, tools
from studio.contexts.scheduling.errors import RoomTaken
from studio.contexts.scheduling.service import ClientInput
from studio.contexts.scheduling.values import Source
from studio.errors import BadInput

EVENING = {"starts_at": datetime.fromisoformat("2026-11-24T18:00"), "ends_at": datetime.fromisoformat("2026-11-24T22:00")}


def book(db, place, span, **more):
    asked = {"room": place.a, "source": Source.staff, "now": place.now, "client": ClientInput(name="Luna Park")} | more
    return service.create_booking(db, span=span, **asked)


def test_bookings_of_a_day_are_listed_by_wall_clock(place):
    with place.session() as db, db.begin():
        book(db, place, place.span(14, 2))

        [listed] = tools.list_bookings(
            db, starts_at=datetime.fromisoformat("2026-11-24T00:00"), ends_at=datetime.fromisoformat("2026-11-25T00:00"), room="a"
        )

    assert (listed.room, listed.starts_at.hour, listed.client, listed.price_minor) == ("Studio A", 14, "Luna Park", 10000)


def test_free_slots_are_the_soonest_over_all_rooms_within_the_asked_time(place):
    with place.session() as db, db.begin():
        book(db, place, place.span(18, 2))

        found = tools.find_free_slots(db, minutes=180, now=place.now, count=9, **EVENING)

    assert [(s.room, s.starts_at.hour, s.starts_at.minute) for s in found] == [
        ("Studio B", 18, 0),
        ("Studio B", 18, 30),
        ("Studio B", 19, 0),
    ]
    assert {s.price_minor for s in found} == {9000}


def test_a_price_is_told_for_a_taken_time_too(place):
    with place.session() as db, db.begin():
        book(db, place, place.span(18, 4))

        told = tools.price_booking(db, room="Studio A", **EVENING)

    assert (told.price_minor, told.currency) == (20000, "EUR")


def test_a_proposal_writes_nothing_until_it_is_confirmed_and_then_once(place):
    with place.session() as db, db.begin():
        proposal = tools.propose_booking(db, room="Studio A", now=place.now, client_name="Luna Park", **EVENING)
        assert queries.bookings(db, place.span(0, 24)) == []

        made = tools.confirm_proposal(db, proposal, now=place.now, by="user")
        again = tools.confirm_proposal(db, proposal, now=place.now, by="user")

    assert made == again
    assert (made.source, made.price_minor, made.span) == (Source.assistant, proposal.price_minor, place.span(18, 4))


def test_an_impossible_proposal_is_refused_with_the_reason(place):
    with place.session() as db, db.begin():
        book(db, place, place.span(18, 2))

        with pytest.raises(RoomTaken, match="by Luna Park"):
            tools.propose_booking(db, room="Studio A", now=place.now, **EVENING)


def test_a_proposal_that_was_overtaken_is_refused_when_confirmed(place):
    with place.session() as db, db.begin():
        proposal = tools.propose_booking(db, room="Studio A", now=place.now, **EVENING)
        book(db, place, place.span(20, 1))

        with pytest.raises(RoomTaken):
            tools.confirm_proposal(db, proposal, now=place.now, by="user")


@pytest.mark.parametrize("room", ["Studio", "Garage", ""])
def test_a_room_that_is_no_one_room_is_refused_with_the_names(place, room):
    with place.session() as db, db.begin(), pytest.raises(BadInput, match="Studio A, Studio B"):
        tools.price_booking(db, room=room, **EVENING)


def test_an_end_before_its_start_is_refused(place):
    with place.session() as db, db.begin(), pytest.raises(BadInput, match="after the start"):
        tools.price_booking(db, room="a", starts_at=EVENING["ends_at"], ends_at=EVENING["starts_at"])
