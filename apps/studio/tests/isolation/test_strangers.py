"""A stranger's id is no id: it answers 404, for reading and for writing, and changes nothing."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from studio.platform import accounts

HTMX = {"HX-Request": "true"}
JSON = {"Accept": "application/json"}
REFUSALS = {"new": 422, "check": 200, "move": 422, "drag": 404, "rate": 422, "public": 404, "check a booking": 404, "ask": 404}
KIN = {"booking": {"booking", "public booking"}}  # staff's pages show both


@pytest.fixture
def place(houses):
    """What every form about a booking would send, with the room of the studio that is asked."""
    start = datetime.now(UTC).date() + timedelta(days=5)
    return {"date": str(start), "start": f"{start}T10:00", "end": f"{start}T12:00", "version": "1", "state": "confirmed", "key": "0" * 64}


@pytest.mark.parametrize("headers", [{}, HTMX, JSON], ids=["page", "fragment", "json"])
def test_reading_with_a_strangers_id_finds_nothing(houses, reads, content, headers):
    for house, stranger in (houses, houses[::-1]):
        for rule, kind in reads:
            answer = house.owner.get(rule.replace("<public_id>", stranger.ids[kind]), headers=headers)

            assert answer.status_code == 404, rule
            assert stranger.mark not in content(answer)


@pytest.mark.parametrize("headers", [{}, HTMX, JSON], ids=["page", "fragment", "json"])
def test_writing_with_a_strangers_id_finds_nothing_and_changes_nothing(houses, writes, place, content, everything, headers):
    before = [everything(house) for house in houses]

    for house, stranger in (houses, houses[::-1]):
        for rule, kind in writes:
            data = place | {"room": house.ids["room"]}
            answer = house.owner.post(rule.replace("<public_id>", stranger.ids[kind]), data=data, headers=headers)

            assert answer.status_code == 404, rule
            assert stranger.mark not in content(answer)

    assert [everything(house) for house in houses] == before


def test_an_id_of_another_kind_is_no_id(houses, reads, writes, place, everything):
    house, before = houses[0], everything(houses[0])
    found = []

    for send, rules in ((house.owner.get, reads), (house.owner.post, writes)):
        for rule, own in rules:
            for kind in house.ids.keys() - KIN.get(own, {own}):
                answer = send(rule.replace("<public_id>", house.ids[kind]), data=place if rules is writes else None)
                found += [(rule, kind)] if answer.status_code != 404 else []

    assert found == []
    assert everything(house) == before


def test_a_visitor_with_a_strangers_link_finds_nothing(houses, content, everything):
    before = [everything(house) for house in houses]

    for house, stranger in (houses, houses[::-1]):
        link = f"/book/{stranger.ids['public booking']}"
        answers = [house.visitor.get(link), house.visitor.get(f"{link}/calendar.ics"), house.visitor.post(f"{link}/cancellation")]

        assert [a.status_code for a in answers] == [404, 404, 404]
        assert not [a for a in answers if stranger.mark in content(a)]

    assert [everything(house) for house in houses] == before


@pytest.mark.parametrize(
    "path",
    [
        "/book?room={room}",
        "/app/settings/hours?room={room}",
        "/app/assistant?thread={conversation}",
        "/app/assistant/panel?thread={conversation}",
    ],
)
def test_asking_a_page_for_a_strangers_thing_finds_nothing(houses, content, path):
    for house, stranger in (houses, houses[::-1]):
        answer = house.owner.get(path.format(**stranger.ids))

        assert answer.status_code == 404
        assert stranger.mark not in content(answer)


def test_a_strangers_room_cannot_be_chosen(houses, place, content, everything):
    before = [everything(house) for house in houses]

    for house, stranger in (houses, houses[::-1]):
        theirs = place | {"room": stranger.ids["room"], "token": "form-0002", "client": "Somebody", "start": "10:00", "end": "12:00"}
        own = house.ids["booking"]
        answers = {
            "new": house.owner.post("/app/bookings/new", data=theirs),
            "check": house.owner.post("/app/bookings/check", data=theirs),
            "move": house.owner.post(f"/app/bookings/{own}/move", data=theirs),
            "drag": house.owner.post(f"/app/bookings/{own}/move", data=place | {"room": stranger.ids["room"]}, headers=JSON),
            "rate": house.owner.post("/app/settings/rates/special", data={"name": "x", "price": "1", "room": stranger.ids["room"]}),
            "public": house.visitor.post(
                "/book",
                data={"token": "page-0002", "room": stranger.ids["room"], "start": f"{place['date']}T12:00+00:00", "minutes": "60"}
                | {"name": "Somebody", "email": "somebody@example.com"},
            ),
            "check a booking": house.owner.post(
                f"/app/bookings/check?booking={stranger.ids['booking']}", data=theirs | {"room": house.ids["room"]}
            ),
            "ask": house.owner.post(
                "/app/assistant/turns",
                data={"key": str(uuid.uuid4()), "question": "what is booked tomorrow?", "conversation": stranger.ids["conversation"]},
            ),
        }

        statuses = {name: answer.status_code for name, answer in answers.items()}
        assert statuses == {
            "new": 422,
            "check": 200,
            "move": 422,
            "drag": 404,
            "rate": 422,
            "public": 404,
            "check a booking": 404,
            "ask": 404,
        }
        assert not [name for name, answer in answers.items() if stranger.mark in content(answer)]

    assert [everything(house) for house in houses] == before


def test_the_assistant_finds_nothing_of_the_other_studio(houses, crawl, content):
    assert crawl.seen  # read before the questions below are stored, which name the other studio

    for house, stranger in (houses, houses[::-1]):
        for question in ("what is booked today?", "is {room} free tomorrow 9-10?", "book {room} tomorrow 9-10 for Luna"):
            asked = question.format(room=f"{stranger.mark} room")
            sent = house.owner.post("/app/assistant/turns", data={"key": str(uuid.uuid4()), "question": asked}, headers=HTMX)
            said = content(sent).replace(f"{stranger.mark} room", "")  # what was asked is said again

            assert sent.status_code == 200
            assert [trace for trace in stranger.traces if trace in said] == []


def test_a_handover_opens_the_studio_it_was_made_for_only(houses, services, client_at):
    for house, other in (houses, houses[::-1]):
        with services.database.control() as db:
            token = accounts.hand_over(db, accounts.find_user(db, house.owner_email), tenant_key=house.key)
        at_other, at_own = client_at(other), client_at(house)

        assert at_other.get(f"/enter?token={token}").location == "/sign-in"
        assert at_other.get("/app").location.startswith("/sign-in")
        assert at_own.get(f"/enter?token={token}").location == "/app"


def test_the_password_of_one_studios_owner_opens_no_other(houses, client_at):
    for house, other in (houses, houses[::-1]):
        client = client_at(other)

        refused = client.post("/sign-in", data={"email": house.owner_email, "password": "a quiet room with cables"})

        assert refused.status_code == 200
        assert "do not open this door" in refused.text
        assert client.get("/app").location.startswith("/sign-in")
