"""The assistant's pages, over HTTP, in a provisioned studio."""

import json
import re
import uuid

import pytest

from studio.contexts.scheduling import rooms
from studio.contexts.scheduling.rooms import RoomInput
from studio.contexts.scheduling.values import Opening

HTMX = {"HX-Request": "true"}


@pytest.fixture
def room(services, studio):
    """A room 'Studio A', open day and night at 50 € an hour."""
    with services.database.tenancy.use(studio.key), services.database.studio() as db:
        public_id = rooms.save_room(db, RoomInput(public_id=None, version=None, name="Studio A", kind="live", capacity=8))
        rooms.set_opening(db, [Opening(room_id=None, weekday=day, opens_minute=0, closes_minute=1440) for day in range(7)])
        rooms.set_hourly(db, {1: 5000})
        return public_id


@pytest.fixture
def ask(studio_client):
    def send(question, *, key=None, client=studio_client, headers=HTMX, conversation=""):
        form = {"key": key or str(uuid.uuid4()), "question": question, "conversation": conversation}
        return client.post("/app/assistant/turns", data=form, headers=headers)

    return send


def credits_of(services, studio):
    return services.credits.balance(studio.key).available // 1_000_000


def card_of(html):
    """Address and key of the card's form that confirms."""
    action = re.search(r'action="(/app/assistant/actions/[^"]+)/confirmation"', html)[1]
    return action, re.search(r'/confirmation".*?name="key" value="([0-9a-f]{64})"', html, re.DOTALL)[1]


def test_the_page_and_the_panel_say_what_a_question_costs_and_what_is_left(studio_client, services, studio):
    left = credits_of(services, studio)

    for address in ("/app/assistant", "/app/assistant/panel"):
        html = studio_client.get(address).text
        assert "About 1 credit per question" in html
        assert f"{left} left" in html


def test_a_visitor_is_sent_to_the_sign_in(visitor):
    assert visitor.get("/app/assistant").headers["Location"].startswith("/sign-in")


def test_a_question_is_answered_in_a_fragment_with_the_credits_left(ask, room, services, studio):
    before = credits_of(services, studio)

    response = ask("is Studio A free tomorrow 14-18?")

    assert response.status_code == 200
    assert "Yes, Studio A is free" in response.text
    assert "€200.00" in response.text
    assert "<html" not in response.text
    assert json.loads(response.headers["HX-Trigger"]) == {"credits:changed": {"text": str(before - 1)}}
    assert credits_of(services, studio) == before - 1
