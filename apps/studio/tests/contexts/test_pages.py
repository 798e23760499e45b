"""Pages and JSON of scheduling and clients, as staff use them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from studio.contexts.crm import queries as crm
from studio.contexts.scheduling import queries, rooms
from studio.contexts.scheduling.rooms import RoomInput
from studio.contexts.scheduling.values import Opening, Span, State
from studio.contexts.settings import queries as settings

HTMX = {"HX-Request": "true"}
JSON = {"Accept": "application/json"}


@pytest.fixture
def day(services, studio) -> str:
    """A studio with two rooms, open around the clock; the day after tomorrow on its wall."""
    with services.database.tenancy.use(studio.key), services.database.studio() as db:
        for name in ("Studio A", "Studio B"):
            rooms.save_room(db, RoomInput(public_id=None, version=None, name=name, kind="live", capacity=4))
        rooms.set_opening(db, [Opening(room_id=None, weekday=d, opens_minute=480, closes_minute=1440) for d in range(7)])
        rooms.set_hourly(db, {r.id: 5000 for r in queries.rooms(db)})
        zone = settings.load(db).zone
    return (datetime.now(zone) + timedelta(days=2)).date().isoformat()


@pytest.fixture
def look(services, studio):
    """Runs a function on the studio's database."""

    def run(function):
        with services.database.tenancy.use(studio.key), services.database.studio() as db:
            return function(db)

    return run


@pytest.fixture
def room_ids(look, day) -> list[str]:
    return [r.public_id for r in look(queries.rooms)]


def form(room: str, day: str, start: str = "14:00", end: str = "16:00", **more: str) -> dict[str, str]:
    return {"token": "form-0001", "room": room, "date": day, "start": start, "end": end, "client": "Luna Park", "state": "confirmed"} | more


def all_bookings(db) -> list[queries.BookingView]:
    now = datetime.now(UTC)
    return queries.bookings(db, Span(starts_at=now - timedelta(days=9), ends_at=now + timedelta(days=99)), with_cancelled=True)


@pytest.fixture
def booked(studio_client, room_ids, day, look) -> queries.BookingView:
    """Luna Park, 14–16 in Studio A."""
    assert studio_client.post("/app/bookings/new", data=form(room_ids[0], day, email="luna@example.com")).status_code == 303
    return look(all_bookings)[0]


PAGES = (
    "/app",
    "/app/calendar",
    "/app/bookings",
    "/app/bookings/new",
    "/app/clients",
    "/app/clients/new",
    "/app/settings",
    "/app/settings/rooms",
)
MORE_PAGES = (
    "/app/settings/rooms/new",
    "/app/settings/hours",
    "/app/settings/rates",
    "/onboarding/rooms",
    "/onboarding/hours",
    "/onboarding/rates",
)


def test_every_page_opens_for_staff_and_sends_strangers_to_sign_in(studio_client, visitor, day):
    opened = {path: studio_client.get(path).status_code for path in PAGES + MORE_PAGES}
    sent = {path: visitor.get(path).location for path in PAGES + MORE_PAGES}

    assert set(opened.values()) == {200}
    assert all(target.startswith("/sign-in") for target in sent.values())


def test_every_page_opens_before_anything_is_set_up(studio_client):
    answers = {path: studio_client.get(path).status_code for path in PAGES + MORE_PAGES}

    assert {path: status for path, status in answers.items() if status != 200} == {"/onboarding/rates": 303}


def test_the_form_books_and_shows_the_booking(studio_client, room_ids, day):
    answer = studio_client.post("/app/bookings/new", data=form(room_ids[0], day))
    page = studio_client.get(answer.location)

    assert answer.status_code == 303
    assert "Luna Park" in page.text
    assert "B-1001" in page.text


def test_in_the_drawer_a_booking_closes_the_drawer_and_refreshes_the_calendar(studio_client, room_ids, day):
    answer = studio_client.post("/app/bookings/new", data=form(room_ids[0], day), headers=HTMX)

    assert answer.status_code == 204
    events = json.loads(answer.headers["HX-Trigger"])
    assert events.keys() == {"drawer:close", "calendar:refresh", "toast"}
    assert "Luna Park is booked: Studio A" in events["toast"]["text"]


def test_sending_the_form_twice_books_once(studio_client, room_ids, day, look):
    first = studio_client.post("/app/bookings/new", data=form(room_ids[0], day))
    second = studio_client.post("/app/bookings/new", data=form(room_ids[0], day))

    assert first.location == second.location
    assert len(look(all_bookings)) == 1


def test_a_taken_slot_is_refused_by_name_and_the_offered_one_can_be_taken(studio_client, room_ids, day, booked, look):
    wanted = form(room_ids[0], day, "15:00", "17:00", token="form-0002", client="Kaya Olsen")
    refused = studio_client.post("/app/bookings/new", data=wanted, headers=HTMX)
    offered = f"{booked.span.ends_at.isoformat()}/{(booked.span.ends_at + timedelta(hours=2)).isoformat()}"

    assert refused.status_code == 422
    assert "is booked" in refused.text
    assert "by Luna Park" in refused.text
    assert f'value="{offered}"' in refused.text.replace("&#43;", "+")

    filled = studio_client.post("/app/bookings/new", data=wanted | {"take": offered}, headers=HTMX)

    assert 'value="16:00' in filled.text
    assert len(look(all_bookings)) == 1


def test_the_check_says_the_price_or_the_sentence_of_the_refusal(studio_client, room_ids, day, booked):
    free = studio_client.post("/app/bookings/check", data=form(room_ids[1], day))
    taken = studio_client.post("/app/bookings/check", data=form(room_ids[0], day))
    refused = studio_client.post("/app/bookings/new", data=form(room_ids[0], day, token="form-0002", client="Other"), headers=HTMX)
    own = studio_client.post(f"/app/bookings/check?booking={booked.public_id}", data=form(room_ids[0], day, "15:00", "17:00"))

    assert "100.00" in free.text
    sentence = taken.text.split("Studio A", 1)[1].split("<", 1)[0].strip()
    assert "by Luna Park" in sentence
    assert sentence in refused.text
    assert "by Luna Park" not in own.text


def test_the_calendar_gets_bookings_closed_hours_and_rooms_on_the_wall_clock(studio_client, room_ids, day, booked):
    next_day = (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()
    events = studio_client.get(f"/app/calendar/bookings.json?start={day}T00:00:00&end={next_day}T00:00:00").json
    found_rooms = studio_client.get("/app/calendar/rooms.json").json

    [mine] = [e for e in events if e["state"] == "confirmed"]
    assert (mine["id"], mine["room"], mine["start"], mine["end"]) == (booked.public_id, room_ids[0], f"{day}T14:00", f"{day}T16:00")
    assert [(e["start"], e["end"]) for e in events if e["state"] == "closed"] == [(f"{day}T00:00", f"{day}T08:00")] * 2
    assert [(r["id"], r["title"]) for r in found_rooms] == [(room_ids[0], "Studio A"), (room_ids[1], "Studio B")]


def test_calendar_ranges_that_make_no_sense_are_refused(studio_client):
    ranges = [("", ""), ("x", "y"), ("2026-01-01", "2030-01-01"), ("2026-01-02", "2026-01-01"), ("9999-12-30", "9999-12-31")]

    answers = [studio_client.get("/app/calendar/bookings.json", query_string={"start": a, "end": b}, headers=JSON) for a, b in ranges]

    assert {answer.status_code for answer in answers} == {409}


def test_pages_for_days_that_make_no_sense_show_today(studio_client):
    days = ["9999-12-31", "0001-01-01", "x"]

    answers = [studio_client.get(path, query_string={"date": d}) for d in days for path in ("/app/calendar", "/app/bookings")]

    assert {answer.status_code for answer in answers} == {200}


def test_a_drag_moves_a_booking_and_says_its_new_price(studio_client, room_ids, day, booked):
    place = {"room": room_ids[1], "start": f"{day}T15:00", "end": f"{day}T18:00"}
    answer = studio_client.post(f"/app/bookings/{booked.public_id}/move", data=place, headers=JSON)

    assert answer.status_code == 200
    assert "Studio B" in answer.json["message"]
    assert "150.00" in answer.json["detail"]


def test_a_drag_onto_another_booking_is_refused_with_the_sentence(studio_client, room_ids, day, booked, look):
    studio_client.post("/app/bookings/new", data=form(room_ids[1], day, token="form-0002", client="Kaya Olsen"))
    other = next(b for b in look(all_bookings) if b.title == "Kaya Olsen")
    place = {"room": room_ids[0], "start": f"{day}T15:00", "end": f"{day}T17:00"}

    answer = studio_client.post(f"/app/bookings/{other.public_id}/move", data=place, headers=JSON)

    assert answer.status_code == 409
    assert "by Luna Park" in answer.json["message"]
    assert "next free slot" in answer.json["message"]


def test_a_drag_to_nowhere_is_refused(studio_client, booked, room_ids, day):
    given = {"room": room_ids[0], "start": f"{day}T10:00", "end": f"{day}T11:00"}
    places = [
        {"start": "x", "end": "y"},
        {"start": f"{day}T12:00"},
        {"start": "9999-12-31T10:00", "end": "9999-12-31T11:00"},
        {"room": "nowhere"},
    ]

    answers = [studio_client.post(f"/app/bookings/{booked.public_id}/move", data=given | place, headers=JSON) for place in places]

    assert [answer.status_code for answer in answers] == [422, 422, 422, 404]


def test_the_move_form_moves_and_a_stale_one_is_refused(studio_client, room_ids, day, booked, look):
    given = form(room_ids[1], day, "18:00", "20:00", version=str(booked.version))
    moved = studio_client.post(f"/app/bookings/{booked.public_id}/move", data=given)
    stale = studio_client.post(f"/app/bookings/{booked.public_id}/move", data=given | {"start": "19:00", "end": "21:00"})

    assert moved.status_code == 303
    assert look(lambda db: queries.booking(db, booked.public_id)).room.public_id == room_ids[1]
    assert stale.status_code == 422
    assert "Somebody else changed this booking" in stale.text


def test_details_change_and_a_held_booking_is_confirmed(studio_client, room_ids, day, look):
    studio_client.post("/app/bookings/new", data=form(room_ids[0], day, state="held"))
    held = look(all_bookings)[0]

    answer = studio_client.post(
        f"/app/bookings/{held.public_id}/details", data={"version": held.version, "title": "Vocals", "notes": "U87", "state": "confirmed"}
    )

    assert answer.status_code == 303
    changed = look(lambda db: queries.booking(db, held.public_id))
    assert (held.state, changed.state, changed.title, changed.notes) == (State.held, State.confirmed, "Vocals", "U87")


def test_cancelling_frees_the_room(studio_client, room_ids, day, booked, look):
    cancelled = studio_client.post(f"/app/bookings/{booked.public_id}/cancellation")
    again = studio_client.post("/app/bookings/new", data=form(room_ids[0], day, token="form-0002", client="Kaya Olsen"))

    assert cancelled.status_code == 303
    assert again.status_code == 303
    assert {b.state for b in look(all_bookings)} == {State.cancelled, State.confirmed}


def test_an_id_of_another_studio_is_not_found(client_of, new_studio, booked):
    stranger = client_of(new_studio())

    assert stranger.get(f"/app/bookings/{booked.public_id}").status_code == 404
    assert stranger.post(f"/app/bookings/{booked.public_id}/cancellation").status_code == 404
    assert stranger.get(f"/app/clients/{booked.client.public_id}").status_code == 404


def test_a_client_is_found_shown_with_bookings_and_changed(studio_client, booked, look):
    found = studio_client.get("/app/clients?q=LUNA", headers=HTMX)
    page = studio_client.get(f"/app/clients/{booked.client.public_id}")
    details = {"kind": "company", "name": "Luna Park SARL", "email": "luna@example.com", "version": str(booked.client.version)}
    changed = studio_client.post(f"/app/clients/{booked.client.public_id}/edit", data=details)
    stale = studio_client.post(f"/app/clients/{booked.client.public_id}/edit", data=details)

    assert "Luna Park" in found.text
    assert "<html" not in found.text
    assert "B-1001" in page.text
    assert changed.status_code == 303
    assert look(crm.clients)[0].name == "Luna Park SARL"
    assert "Somebody else changed this client" in stale.text


def test_two_clients_cannot_have_one_e_mail(studio_client, booked):
    answer = studio_client.post("/app/clients/new", data={"kind": "person", "name": "Other", "email": "LUNA@example.com"})

    assert "Another client already has the e-mail" in answer.text


def test_a_room_is_added_changed_and_taken_out_of_use(studio_client, room_ids, look):
    facts = {
        "name": "Studio C", "kind": "mix", "capacity": "2", "slot_minutes": "30", "min_minutes": "60", "max_minutes": "480",
        "min_notice_hours": "4", "horizon_days": "60",
    }  # fmt: skip
    studio_client.post("/app/settings/rooms/new", data=facts)
    added = look(queries.rooms)[-1]
    studio_client.post(f"/app/settings/rooms/{added.public_id}", data=facts | {"name": "Mix C", "version": str(added.version)})
    changed = look(queries.rooms)[-1]
    studio_client.post(f"/app/settings/rooms/{added.public_id}/archive")

    assert (added.name, added.max_minutes, added.is_public) == ("Studio C", 480, False)
    assert changed.name == "Mix C"
    assert len(look(queries.rooms)) == 2


def test_a_room_with_bookings_ahead_stays_in_use(studio_client, room_ids, booked, look):
    answer = studio_client.post(f"/app/settings/rooms/{room_ids[0]}/archive", follow_redirects=True)

    assert "has bookings ahead" in answer.text
    assert len(look(queries.rooms)) == 2


def test_a_room_can_have_hours_of_its_own_and_give_them_up(studio_client, room_ids, look):
    path = f"/app/settings/hours?room={room_ids[0]}"
    own = {"days-0-is_open": "y", "days-0-opens": "20:00", "days-0-closes": "04:00"}
    studio_client.post(path, data=own)
    with_own = [o for o in look(queries.openings) if o.room_id]
    studio_client.post(path, data=own | {"reset": "1"})

    assert [(o.weekday, o.opens_minute, o.closes_minute) for o in with_own] == [(0, 1200, 1680)]
    assert [o for o in look(queries.openings) if o.room_id] == []


def test_a_special_rate_counts_from_the_next_booking_until_it_is_removed(studio_client, room_ids, day, booked, look):
    special = {"name": "Evenings", "room": "", "price": "80", "from_time": "18:00", "to_time": "00:00"}
    studio_client.post("/app/settings/rates/special", data=special)
    rate = next(r for r in look(queries.rates) if r.priority)
    dear = studio_client.post("/app/bookings/check", data=form(room_ids[0], day, "17:00", "19:00"))
    studio_client.post(f"/app/settings/rates/special/{rate.public_id}/removal")
    plain = studio_client.post("/app/bookings/check", data=form(room_ids[0], day, "17:00", "19:00"))

    assert (rate.hourly_minor, rate.from_minute, rate.to_minute) == (8000, 1080, 1440)
    assert "130.00" in dear.text
    assert "100.00" in plain.text
    assert look(all_bookings)[0].price_minor == booked.price_minor


def test_the_accent_becomes_a_css_variable_and_nothing_else_does(studio_client, visitor):
    assert studio_client.post("/app/settings", data={"accent": "#AA3300"}).status_code == 303
    refused = studio_client.post("/app/settings", data={"accent": "red; } body { display: none"})
    css = visitor.get("/theme.css")

    assert "--studio-accent: #aa3300" in css.text
    assert css.mimetype == "text/css"
    assert refused.status_code == 200
    assert "six hexadecimal digits" in refused.text


def test_the_today_board_shows_who_is_in_which_room(studio_client, look, day, services, studio):
    zone: ZoneInfo = look(settings.load).zone
    soon = (datetime.now(zone) + timedelta(hours=1)).replace(minute=0)
    look(lambda db: rooms.set_opening(db, [Opening(room_id=None, weekday=d, opens_minute=0, closes_minute=1440) for d in range(7)]))
    room = look(queries.rooms)[0].public_id
    end = soon + timedelta(hours=1)
    studio_client.post("/app/bookings/new", data=form(room, soon.date().isoformat(), f"{soon:%H:%M}", f"{end:%H:%M}"))

    page = studio_client.get("/app")

    assert "Luna Park" in page.text
    assert "Nothing in the next seven days." in page.text
