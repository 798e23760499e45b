"""Making, moving and cancelling bookings on a real database."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from psycopg.errors import ExclusionViolation
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from studio.contexts.crm import queries as crm
from studio.contexts.scheduling import obstacle, queries, rooms, service
from studio.contexts.scheduling.errors import OutOfPolicy, RoomClosed, RoomTaken, RoomUnpriced, StaleBooking
from studio.contexts.scheduling.models import Allocation, Booking, room_key
from studio.contexts.scheduling.rooms import RoomInput
from studio.contexts.scheduling.service import ClientInput
from studio.contexts.scheduling.values import Source, Span, State
from studio.errors import NotFound, Refused

LUNA = ClientInput(name="Luna Park", email="luna@example.com")


def book(db, place, span, *, room=None, source=Source.staff, client=LUNA, **more):
    return service.create_booking(db, room=room or place.a, span=span, source=source, now=place.now, client=client, **more)


def test_a_booking_has_a_number_a_client_and_a_price_with_its_lines(place):
    with place.session() as db, db.begin():
        made = book(db, place, place.span(14, 2))

    assert (made.code, made.state, made.title) == ("B-1001", State.confirmed, "Luna Park")
    assert (made.price_minor, made.currency) == (10000, "EUR")
    assert [(line.minutes, line.hourly_minor) for line in made.price_lines] == [(120, 5000)]
    assert made.client.email == "luna@example.com"


def test_twenty_writers_for_one_slot_make_exactly_one_booking(place):
    go = Event()

    def write(number):
        go.wait()
        try:
            with place.session() as db, db.begin():
                return book(db, place, place.span(14, 2), client=ClientInput(name=f"Client {number}"))
        except RoomTaken as error:
            return error

    with ThreadPoolExecutor(20) as pool:
        writers = [pool.submit(write, n) for n in range(20)]
        go.set()
        answers = [w.result() for w in writers]

    refused = [a for a in answers if isinstance(a, RoomTaken)]
    assert len(refused) == 19
    assert {e.next_free for e in refused} == {place.span(16, 2)}
    with place.session() as db:
        assert db.scalar(select(func.count()).select_from(Booking)) == 1


def test_twenty_writers_that_skip_every_rule_are_stopped_by_the_database(place):
    slot = place.span(14, 2)
    with place.session() as db, db.begin():
        bookings = [
            Booking(
                state="confirmed",
                title="x",
                source="staff",
                price_minor=0,
                currency="EUR",
                price_breakdown=[],
                starts_at=slot.starts_at,
                ends_at=slot.ends_at,
            )
            for _n in range(20)
        ]
        db.add_all(bookings)
        db.flush()
        ids = [b.id for b in bookings]

    def write(booking_id):
        try:
            with place.session() as db, db.begin():
                db.execute(text("SET LOCAL deadlock_timeout = '50ms'"))
                db.add(
                    Allocation(
                        booking_id=booking_id,
                        resource_kind="room",
                        resource_id=1,
                        resource_key=room_key(1),
                        starts_at=slot.starts_at,
                        ends_at=slot.ends_at,
                    )
                )
        except DBAPIError as error:
            return error
        return None

    with ThreadPoolExecutor(20) as pool:
        errors = list(pool.map(write, ids))

    with place.session() as db:
        assert db.scalar(select(func.count()).select_from(Allocation)) == 1
    assert sum(e is None for e in errors) == 1


def test_a_writer_that_loses_in_the_database_is_told_who_won(place):
    """The winner writes past the use case and commits while the loser already waits in the constraint."""
    slot = place.span(14, 2)
    with place.session() as winner, ThreadPoolExecutor(1) as pool:
        winner.begin()
        row = Booking(
            state="confirmed",
            title="x",
            source="staff",
            price_minor=0,
            currency="EUR",
            price_breakdown=[],
            starts_at=slot.starts_at,
            ends_at=slot.ends_at,
        )
        row.allocations = [
            Allocation(resource_kind="room", resource_id=1, resource_key=room_key(1), starts_at=slot.starts_at, ends_at=slot.ends_at)
        ]
        winner.add(row)
        winner.flush()

        def lose():
            with place.session() as db, db.begin():
                book(db, place, slot)

        loser = pool.submit(lose)
        with place.session() as watcher:
            waiting = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
            while not watcher.scalar(waiting):
                assert not loser.done()
                watcher.rollback()
        winner.commit()

        with pytest.raises(RoomTaken) as refused:
            loser.result(timeout=20)

    assert isinstance(refused.value.__cause__, IntegrityError)
    assert isinstance(refused.value.__cause__.orig, ExclusionViolation)
    assert refused.value.taken == slot


def test_a_refusal_names_the_client_to_staff_and_offers_the_next_free_slot(place):
    with place.session() as db, db.begin():
        book(db, place, place.span(14, 4))

        with pytest.raises(RoomTaken) as refused:
            book(db, place, place.span(15, 2), client=ClientInput(name="Other"))

    assert refused.value.client == "Luna Park"
    assert refused.value.next_free == place.span(18, 2)
    sentence = str(refused.value).replace("\u202f", " ")
    assert sentence == "Studio A is booked Tue, Nov 24, 2:00 PM–6:00 PM by Luna Park. The next free slot is Tue, Nov 24, 6:00 PM–8:00 PM."


def test_a_refusal_does_not_tell_the_public_who_has_the_room(place):
    with place.session() as db, db.begin():
        book(db, place, place.span(14, 4))

        with pytest.raises(RoomTaken) as refused:
            book(db, place, place.span(15, 2), source=Source.public, client=ClientInput(name="Other"))

    assert refused.value.client is None
    assert "Luna" not in str(refused.value)


def test_the_warning_is_the_refusal(place):
    with place.session() as db, db.begin():
        book(db, place, place.span(14, 4))
        plan = queries.plan(db, place.a)
        warning = obstacle.find(db, plan, place.span(15, 2), source=Source.staff, now=place.now)

        with pytest.raises(RoomTaken) as refused:
            book(db, place, place.span(15, 2))

    assert str(warning) == str(refused.value)


def test_outside_opening_hours_is_refused_with_the_hours_of_that_day(place):
    with place.session() as db, db.begin(), pytest.raises(RoomClosed) as refused:
        book(db, place, place.span(21, 2))

    assert refused.value.open_that_day == (place.span(10, 12),)
    assert refused.value.next_free == place.span(10, 2, day=25)
    assert "open 10:00" in str(refused.value)


def test_a_room_without_a_rate_is_refused(place):
    with place.session() as db, db.begin():
        c = rooms.save_room(db, RoomInput(public_id=None, version=None, name="Studio C", kind="live", capacity=1))

        with pytest.raises(RoomUnpriced):
            book(db, place, place.span(14, 2), room=c)


@pytest.mark.parametrize(
    ("hour", "hours", "day"), [(14, 0.5, 24), (10.5, 1, 23), (14, 2, 22)], ids=["too short", "too soon", "in the past"]
)
def test_the_public_is_held_to_length_and_notice_and_staff_are_not(place, hour, hours, day):
    with place.session() as db, db.begin():
        with pytest.raises(OutOfPolicy):
            book(db, place, place.span(hour, hours, day=day), source=Source.public)

        assert book(db, place, place.span(hour, hours, day=day)).state is State.confirmed


def test_bookings_that_touch_are_both_taken(place):
    with place.session() as db, db.begin():
        first = book(db, place, place.span(14, 2))
        second = book(db, place, place.span(16, 2))

    assert first.span.ends_at == second.span.starts_at


def test_the_same_key_makes_one_booking_and_gives_it_back(place):
    with place.session() as db, db.begin():
        first = book(db, place, place.span(14, 2), key="form-1")
    with place.session() as db, db.begin():
        again = book(db, place, place.span(14, 2), key="form-1")

    assert again == first


def test_a_double_click_makes_one_booking(place):
    def click(_n):
        with place.session() as db, db.begin():
            return book(db, place, place.span(14, 2), key="form-1").public_id

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(click, range(8)))

    assert len(made) == 1


def test_the_same_e_mail_is_the_same_client(place):
    with place.session() as db, db.begin():
        book(db, place, place.span(14, 2))
        book(db, place, place.span(17, 2), client=ClientInput(name="L. Park", email=" LUNA@example.com"))

        assert [c.name for c in crm.clients(db)] == ["Luna Park"]


def test_a_refused_booking_leaves_no_client(place):
    with pytest.raises(RoomClosed), place.session() as db, db.begin():
        book(db, place, place.span(3, 2))

    with place.session() as db:
        assert crm.clients(db) == []


def test_a_moved_booking_is_priced_anew_and_frees_its_old_place(place):
    with place.session() as db, db.begin():
        made = book(db, place, place.span(14, 2))

        moved = service.move_booking(db, made.public_id, room=place.b, span=place.span(15, 3), now=place.now, version=made.version)
        follower = book(db, place, place.span(14, 2))

    assert (moved.room.name, moved.price_minor, moved.span) == ("Studio B", 9000, place.span(15, 3))
    assert follower.room.name == "Studio A"


def test_a_booking_may_move_onto_part_of_its_own_place(place):
    with place.session() as db, db.begin():
        made = book(db, place, place.span(14, 2))

        moved = service.move_booking(db, made.public_id, room=place.a, span=place.span(15, 2), now=place.now)

    assert moved.span == place.span(15, 2)


def test_a_move_onto_another_booking_is_refused_and_changes_nothing(place):
    with place.session() as db, db.begin():
        made = book(db, place, place.span(14, 2))
        book(db, place, place.span(17, 2))

        with pytest.raises(RoomTaken):
            service.move_booking(db, made.public_id, room=place.a, span=place.span(16, 2), now=place.now)

        assert queries.booking(db, made.public_id) == made


def test_the_same_move_again_changes_nothing(place):
    with place.session() as db, db.begin():
        made = book(db, place, place.span(14, 2))
        once = service.move_booking(db, made.public_id, room=place.a, span=place.span(15, 2), now=place.now, version=made.version)

        twice = service.move_booking(db, made.public_id, room=place.a, span=place.span(15, 2), now=place.now, version=made.version)

    assert twice == once


def test_a_change_to_a_booking_that_changed_meanwhile_is_refused(place):
    with place.session() as db, db.begin():
        made = book(db, place, place.span(14, 2))
        service.change_booking(db, made.public_id, version=made.version, title="Vocals", notes="", state=State.confirmed)

        with pytest.raises(StaleBooking):
            service.change_booking(db, made.public_id, version=made.version, title="Drums", notes="", state=State.confirmed)
        with pytest.raises(StaleBooking):
            service.move_booking(db, made.public_id, room=place.b, span=place.span(14, 2), now=place.now, version=made.version)


def test_a_cancelled_booking_frees_its_room_and_stays_cancelled(place):
    with place.session() as db, db.begin():
        made = book(db, place, place.span(14, 2))
        cancelled = service.cancel_booking(db, made.public_id, now=place.now)

        again = service.cancel_booking(db, made.public_id, now=place.now)
        other = book(db, place, place.span(14, 2), client=ClientInput(name="Other"))

        with pytest.raises(Refused, match="cancelled"):
            service.move_booking(db, made.public_id, room=place.b, span=place.span(14, 2), now=place.now)
        with pytest.raises(Refused, match="cancelled"):
            service.change_booking(db, made.public_id, version=again.version, title="x", notes="", state=State.confirmed)

    assert again == cancelled
    assert other.state is State.confirmed


def test_a_held_booking_keeps_others_out(place):
    with place.session() as db, db.begin():
        book(db, place, place.span(14, 2), state=State.held)

        with pytest.raises(RoomTaken):
            book(db, place, place.span(14, 2))


def test_an_unknown_booking_or_room_is_not_found(place):
    with place.session() as db, db.begin():
        with pytest.raises(NotFound):
            service.cancel_booking(db, "0199", now=place.now)
        with pytest.raises(NotFound):
            book(db, place, place.span(14, 2), room="0199")


def test_a_length_longer_than_a_day_is_open_has_no_next_free_slot(place):
    with place.session() as db, db.begin():
        plan = queries.plan(db, place.a)

        free = obstacle.next_free(
            db, plan, Span(starts_at=place.now, ends_at=place.span(23, 20, day=23).ends_at), source=Source.staff, now=place.now
        )

    assert free is None


def test_the_board_shows_what_is_now_and_next_in_each_room(place):
    with place.session() as db, db.begin():
        running = book(db, place, place.span(10, 2))
        later = book(db, place, place.span(20, 1))

        board = queries.today(db, place.span(11, 1).starts_at)

    assert [(lane.room.name, lane.now, lane.next) for lane in board.lanes] == [("Studio A", running, later), ("Studio B", None, None)]
    assert board.bookings == (running, later)
