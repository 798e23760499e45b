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


def test_a_question_sent_without_javascript_leads_to_its_thread(ask, studio_client, room):
    response = ask("what is booked tomorrow?", headers={})

    assert response.status_code == 302
    html = studio_client.get(response.headers["Location"]).text
    assert "Nothing is booked on" in html
    assert 'aria-current="page"' in html


def test_a_double_click_charges_once(ask, room, services, studio):
    before, key = credits_of(services, studio), str(uuid.uuid4())

    first, second = ask("what is booked tomorrow?", key=key), ask("what is booked tomorrow?", key=key)

    assert first.status_code == second.status_code == 200
    assert credits_of(services, studio) == before - 1


def test_a_proposal_is_confirmed_on_its_card_and_booked_once(ask, room, studio_client):
    action, key = card_of(ask("book Studio A tomorrow 14-18 for Nora Lind").text)
    assert "Nothing is booked" in ask("what is booked tomorrow?").text

    first = studio_client.post(f"{action}/confirmation", data={"key": key}, headers=HTMX)
    again = studio_client.post(f"{action}/confirmation", data={"key": key}, headers=HTMX)

    assert first.status_code == again.status_code == 200
    assert "calendar:refresh" in first.headers["HX-Trigger"]
    assert "Open booking B-1001" in first.text
    assert "Open booking B-1001" in again.text
    assert "one booking" in ask("what is booked tomorrow?").text


def test_a_room_taken_meanwhile_is_said_on_the_card_that_stays_open(ask, room, studio_client):
    first, second = (card_of(ask(f"book Studio A tomorrow 14-18 for {who}").text) for who in ("Nora Lind", "Luna Park"))
    studio_client.post(f"{first[0]}/confirmation", data={"key": first[1]}, headers=HTMX)

    response = studio_client.post(f"{second[0]}/confirmation", data={"key": second[1]}, headers=HTMX)

    assert "Studio A is booked" in response.text
    assert "by Nora Lind" in response.text
    assert "Confirm booking" in response.text


def test_a_rejected_card_is_closed(ask, room, studio_client):
    action, key = card_of(ask("book Studio A tomorrow 14-18 for Nora Lind").text)

    assert "Rejected" in studio_client.post(f"{action}/rejection", data={"key": key}, headers=HTMX).text
    refused = studio_client.post(f"{action}/confirmation", data={"key": key}, headers=HTMX)

    assert "can no longer be confirmed" in refused.text
    assert "Confirm booking" not in refused.text


def test_another_studios_threads_turns_and_cards_answer_404(ask, room, new_studio, client_of, studio_client):
    html = ask("book Studio A tomorrow 14-18 for Nora Lind").text
    action, key = card_of(html)
    turn = re.search(r'id="turn-([0-9a-f-]{36})"', html)[1]
    thread = re.search(r'name="conversation" value="([0-9a-f-]{36})"', html)[1]
    stranger = client_of(new_studio())

    answers = [
        stranger.post(f"{action}/confirmation", data={"key": key}, headers=HTMX),
        stranger.post(f"{action}/rejection", data={"key": key}, headers=HTMX),
        stranger.get(f"/app/assistant/turns/{turn}", headers=HTMX),
        stranger.get(f"/app/assistant?thread={thread}"),
        ask("hello", client=stranger, conversation=thread),
    ]

    assert [answer.status_code for answer in answers] == [404] * 5
    assert not any("Nora Lind" in answer.text for answer in answers)


def test_what_clients_wrote_is_shown_as_text(ask, room, studio_client):
    action, key = card_of(ask("book Studio A tomorrow 14-18 for <script>alert(1)</script><img src=x>").text)
    studio_client.post(f"{action}/confirmation", data={"key": key}, headers=HTMX)

    html = ask("what is booked tomorrow?").text

    assert "<script>alert" not in html
    assert "<img" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_at_zero_credits_the_composer_and_the_answer_say_so_and_the_rest_goes_on(ask, room, services, studio, studio_client):
    left = services.credits.balance(studio.key).available
    with services.database.control() as db:
        services.credits.adjust(db, studio.key, amount=-left, key="spend", reason="test", actor="test")

    answer = ask("what is booked tomorrow?").text

    assert "No AI credits are left. A plan brings new ones with each paid month; everything else works as before." in answer
    assert "No AI credits are left." in studio_client.get("/app/assistant").text
    assert studio_client.get("/app").status_code == 200


def test_a_form_without_our_token_or_with_a_made_up_key_is_refused(ask, studio_client, services, studio):
    before = credits_of(services, studio)

    assert ask("hello", key="1").status_code == 400
    form = {"key": str(uuid.uuid4()), "question": "hello"}
    assert studio_client.post("/app/assistant/turns", data=form, headers=HTMX, token=False).status_code == 400

    assert credits_of(services, studio) == before


def test_an_empty_question_is_refused_with_a_sentence(ask):
    response = ask("  ")

    assert response.status_code == 409
    assert "Write a question." in response.text


def test_a_french_question_is_answered_in_french(ask, room):
    assert "Oui, Studio A est libre" in ask("Studio A est-il libre demain de 14h à 18h ?").text


def test_a_read_only_studio_is_told_so_before_anything_is_held(ask, room, services, studio):
    before = credits_of(services, studio)
    with services.database.control() as db:
        services.database.tenancy.read_only(db, studio.key, reason="unpaid")

    response = ask("what is booked tomorrow?")

    assert response.status_code == 409
    assert "read-only" in response.text
    assert credits_of(services, studio) == before
