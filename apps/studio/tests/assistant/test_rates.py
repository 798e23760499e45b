"""What turns cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomtone_ai_credits import CREDIT
from roomtone_ai_credits.errors import UnknownModel
from studio.assistant.rates import INCLUDED, LARGEST, OFFLINE_MODEL, RATE_CARD, Budget, billable, choose_budget, estimate

MODELS = (
    OFFLINE_MODEL,
    "anthropic:claude-haiku-4-5",
    "anthropic:claude-sonnet-4-5",
    "anthropic:claude-opus-4-1",
    "openai:gpt-5-mini",
    "openai:gpt-5",
)


def usage(**tokens: int):
    return billable(**({"input_tokens": 0, "cached_read_tokens": 0, "cache_write_tokens": 0, "output_tokens": 0} | tokens))


@pytest.mark.parametrize("model", MODELS)
def test_a_turn_within_the_included_tokens_costs_one_credit_with_every_model(model):
    spent = usage(input_tokens=INCLUDED.input_tokens, output_tokens=INCLUDED.output_tokens)

    assert RATE_CARD.cost(model, spent) == CREDIT


def test_the_offline_model_never_charges_for_tokens():
    assert RATE_CARD.cost(OFFLINE_MODEL, usage(input_tokens=10**6, output_tokens=10**6)) == CREDIT


def test_tokens_beyond_the_included_ones_cost_what_the_provider_asks():
    spent = usage(input_tokens=INCLUDED.input_tokens + 1000, output_tokens=INCLUDED.output_tokens + 100)

    assert RATE_CARD.cost("anthropic:claude-haiku-4-5", spent) == CREDIT + 50_000 + 25_000


def test_a_model_without_a_price_is_refused():
    with pytest.raises(UnknownModel):
        choose_budget("mystery:model", available=CREDIT)


def test_a_turn_gets_the_largest_budget_that_can_be_paid():
    model = "anthropic:claude-haiku-4-5"
    dearest = RATE_CARD.cost(model, estimate(LARGEST))

    assert choose_budget(model, available=dearest) == LARGEST
    assert choose_budget(model, available=dearest - 1) == INCLUDED
    assert RATE_CARD.cost(model, estimate(INCLUDED)) == CREDIT


@given(
    model=st.sampled_from(MODELS),
    budget=st.sampled_from([INCLUDED, LARGEST]),
    parts=st.tuples(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100)),
    output_share=st.integers(0, 100),
)
def test_no_turn_within_its_budget_costs_more_than_was_held(model: str, budget: Budget, parts: tuple[int, int, int], output_share: int):
    whole = max(sum(parts), 1)
    read, written, plain = (budget.input_tokens * part // whole for part in parts)
    spent = usage(
        input_tokens=plain, cached_read_tokens=read, cache_write_tokens=written, output_tokens=budget.output_tokens * output_share // 100
    )

    assert CREDIT <= RATE_CARD.cost(model, spent) <= RATE_CARD.cost(model, estimate(budget))
