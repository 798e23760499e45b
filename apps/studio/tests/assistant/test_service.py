"""A turn: what it costs, and that it happens once."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel
from sqlalchemy import func, select, text

from roomtone_ai_credits import CREDIT
from roomtone_ai_credits.testing import assert_books_balance
from studio.assistant import conversations, model, queries, service
from studio.assistant.errors import Busy, ModelFailed
from studio.assistant.models import Turn
from studio.assistant.rules import QUESTION_LENGTH_MAX
from studio.assistant.service import Asker
from studio.errors import BadInput, NotFound

STRANGER = Asker(user_id="stranger", locale="en")


def held(place) -> int:
    return place.credits.balance(place.office.account).held


def test_a_question_is_answered_from_the_bookings_and_costs_one_credit(place):
    place.book(14, 4)

    turn = place.ask("what is booked tomorrow?")

    assert "14:00–18:00 · Studio A · Luna Park (B-1001)" in turn.answer
    assert (turn.state, turn.charged_micro, place.left(), held(place)) == ("answered", CREDIT, 4, 0)


def test_the_ledger_says_who_asked_what_feature_and_which_model(place):
    place.ask("what is booked tomorrow?")

    entry = place.credits.entries(place.office.account)[0]
    assert (entry.amount, entry.user, entry.feature, entry.model) == (-CREDIT, "owner", "assistant", "offline-1")


def test_a_form_sent_twice_is_one_turn_and_one_charge(place):
    first = place.ask("what is booked tomorrow?", key="same")

    again = place.ask("what is booked tomorrow?", key="same")

    assert again == first
    assert place.left() == 4


def test_a_form_sent_many_times_at_once_is_one_turn_and_one_charge(place):
    with ThreadPoolExecutor(8) as pool:
        turns = list(pool.map(lambda _: place.ask("what is booked tomorrow?", key="same"), range(8)))

    assert len({turn.public_id for turn in turns}) == 1
    assert place.left() == 4
    with place.session() as db:
        assert db.scalar(select(func.count()).select_from(Turn)) == 1


def test_a_key_of_somebody_else_answers_as_if_it_were_unknown(place):
    place.ask("what is booked tomorrow?", key="same")

    with pytest.raises(NotFound):
        place.ask("what is booked tomorrow?", key="same", asker=STRANGER)


def test_a_thread_of_somebody_else_answers_as_if_it_were_unknown(place):
    mine = place.ask("what is booked tomorrow?")

    with pytest.raises(NotFound):
        place.ask("and today?", conversation=mine.conversation, asker=STRANGER)
    with place.session() as db, pytest.raises(NotFound):
        queries.turns(db, "stranger", mine.conversation, now=place.clock())
    with place.session() as db, pytest.raises(NotFound):
        queries.turn(db, "stranger", mine.public_id, now=place.clock())
    assert place.left() == 4


@pytest.mark.parametrize("question", ["", "  \n ", "\x00\x1b", "x" * (QUESTION_LENGTH_MAX + 1)])
def test_no_question_and_too_long_a_one_are_refused_and_cost_nothing(place, question):
    with pytest.raises(BadInput):
        place.ask(question)

    assert place.left() == 5


def test_a_failed_turn_costs_nothing_and_says_so(place, scripted):
    turn = place.ask("what is booked?", model=scripted(ConnectionError("provider down")))

    assert (turn.state, turn.charged_micro, place.left(), held(place)) == ("failed", None, 5, 0)
    assert "Nothing was charged" in turn.answer


def test_a_turn_that_takes_too_long_is_stopped_and_costs_nothing(place, monkeypatch):
    async def never(_messages, _info):
        await asyncio.Event().wait()

    monkeypatch.setattr(model, "TURN_LIMIT_S", 0.05)

    turn = place.ask("what is booked?", model=FunctionModel(never))

    assert (turn.state, place.left(), held(place)) == ("failed", 5, 0)


def test_a_model_without_a_price_is_never_called(place, scripted):
    called = []
    turn = place.ask("hello", name="mystery:model", model=FunctionModel(lambda *_: called.append(1)))

    assert called == []
    assert "has no price" in turn.answer
    assert place.left() == 5


def test_a_provider_that_cannot_be_set_up_fails_the_turn_only(place, monkeypatch):
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    office = replace(
        place.office, model_name="anthropic:claude-haiku-4-5", make_model=lambda: model.make_model("anthropic:claude-haiku-4-5")
    )

    turn = service.ask(office, Asker(user_id="owner", locale="en"), key="k", question="hello")

    assert (turn.state, place.left(), held(place)) == ("failed", 5, 0)
    with pytest.raises(ModelFailed):
        model.make_model("nobody:nothing")


def test_at_zero_credits_a_sentence_says_so_and_the_model_is_not_called(place, scripted):
    for _ in range(5):
        place.ask("hello")

    turn = place.ask("hello", model=scripted("I answered anyway"))

    assert (turn.state, turn.charged_micro, place.left()) == ("failed", None, 0)
    assert turn.answer == "No AI credits are left. A plan brings new ones with each paid month; everything else works as before."


def test_at_zero_credits_the_sentence_says_when_they_return(place):
    with place.session() as db, db.begin():
        place.credits.set_allowance(db, f"{place.office.account}-poor", amount=CREDIT, anchor_at=place.clock(), key="plan")
    office = replace(place.office, account=f"{place.office.account}-poor")
    owner = Asker(user_id="owner", locale="en")
    service.ask(office, owner, key="1", question="hello")

    turn = service.ask(office, owner, key="2", question="hello")

    assert turn.answer.startswith("No AI credits are left. New ones come on December 23, 2026")


def test_no_transaction_is_open_while_the_model_thinks(place):
    seen = []

    async def look(_messages, _info):
        with place.engine.connect() as connection:
            busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
            seen.append((len(place.open_sessions), connection.scalar(text(busy))))
        return ModelResponse(parts=[TextPart("done")])

    place.ask("hello", model=FunctionModel(look))

    assert seen == [(0, 0)]


def test_a_second_question_waits_for_the_first(place):
    refused = []

    async def ask_again(_messages, _info):
        with pytest.raises(Busy) as error:
            await asyncio.to_thread(place.ask, "and now?")
        refused.append(str(error.value))
        return ModelResponse(parts=[TextPart("done")])

    place.ask("hello", model=FunctionModel(ask_again))

    assert refused == ["Your last question is still being answered. Wait a moment, then ask again."]
    assert place.left() == 4


def test_a_turn_whose_process_died_is_shown_as_lost_and_blocks_nobody_for_long(place):
    with place.session() as db, db.begin():
        lost = conversations.begin(
            db, user_id="owner", key="died", question="hello", conversation=None, model="offline-1", now=place.clock()
        )
    with pytest.raises(Busy):
        place.ask("what is booked tomorrow?")
    place.clock.advance(seconds=121)

    with place.session() as db:
        assert queries.turn(db, "owner", lost.public_id, now=place.clock()).state == "failed"
    assert place.ask("what is booked tomorrow?").state == "answered"


def test_an_answer_whose_process_died_before_it_was_charged_is_charged_once_later(place, monkeypatch):
    def die(*_):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(place.credits, "settle", die)
        with pytest.raises(SystemExit):
            place.ask("hello", key="died")
    assert place.ask("hello", key="died").charged_micro == CREDIT  # the same form again finds the answer
    assert place.left() == 4

    place.ask("hello")
    place.ask("hello", key="died")

    assert place.left() == 3
    assert_books_balance(place.credits)


def test_credits_held_for_a_turn_that_died_return_by_themselves(place):
    place.credits.hold(
        place.office.account, model="offline-1", estimate=service.estimate(service.choose_budget("offline-1", available=0)), key="turn:x"
    )
    assert place.left() == 4

    place.clock.advance(seconds=601)

    assert place.left() == 5


def test_a_conversation_goes_on_in_its_thread_and_tells_the_model_what_was_said(place):
    seen = []

    async def look(messages, _info):
        seen.append([part.content for message in messages for part in message.parts])
        return ModelResponse(parts=[TextPart(f"answer {len(seen)}")])

    first = place.ask("one", model=FunctionModel(look))
    second = place.ask("two", model=FunctionModel(look), conversation=first.conversation)

    assert seen == [["one"], ["one", "answer 1", "two"]]
    with place.session() as db:
        assert [turn.answer for turn in queries.turns(db, "owner", second.conversation, now=place.clock())] == ["answer 1", "answer 2"]
        assert [thread.title for thread in queries.conversations(db, "owner")] == ["one"]
        assert queries.conversations(db, "stranger") == []


def test_a_long_answer_is_charged_for_its_tokens_and_never_above_what_was_held(place):
    from pydantic_ai.usage import RequestUsage

    async def long(_messages, _info):
        return ModelResponse(
            parts=[TextPart("done")], usage=RequestUsage(input_tokens=14_000, cache_read_tokens=3_000, output_tokens=1_100)
        )

    turn = place.ask("hello", model=FunctionModel(long), name="anthropic:claude-haiku-4-5")

    assert turn.charged_micro == CREDIT + 2_000 * 5_000 // 1000 + 100 * 250  # the included tokens cover the dearest first
    assert_books_balance(place.credits)


def test_a_turn_that_uses_more_than_its_budget_fails_and_costs_nothing(place):
    from pydantic_ai.usage import RequestUsage

    async def greedy(_messages, _info):
        return ModelResponse(parts=[TextPart("done")], usage=RequestUsage(input_tokens=10**6, output_tokens=10))

    turn = place.ask("hello", model=FunctionModel(greedy), name="anthropic:claude-haiku-4-5")

    assert (turn.state, place.left(), held(place)) == ("failed", 5, 0)
