from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from roomtone_ai_credits import CREDIT, ModelRate, RateCard, Step, Usage, errors

counts = st.integers(0, 10_000_000)
prices = st.integers(0, 1_000_000_000)
usages = st.builds(
    Usage, input_tokens=counts, output_tokens=counts, cached_read_tokens=counts, cache_write_tokens=counts, requests=st.integers(0, 9)
)
rates = st.builds(
    ModelRate,
    pattern=st.just("*"),
    request_micro=prices,
    input_nano=prices,
    output_nano=prices,
    cached_read_nano=prices,
    cache_write_nano=prices,
)


def test_a_call_costs_its_request_and_each_bucket_at_its_own_price():
    rate = ModelRate(pattern="*", request_micro=5, input_nano=1_000, output_nano=3_000, cached_read_nano=100, cache_write_nano=2_000)

    cost = rate.cost(Usage(input_tokens=10, output_tokens=20, cached_read_tokens=30, cache_write_tokens=40, requests=2))

    assert cost == 2 * 5 + 10 + 60 + 3 + 80


def test_a_credit_for_a_thousand_tokens_is_a_million_nano_credits():
    assert ModelRate(pattern="*", input_nano=1_000_000).cost(Usage(input_tokens=1000)) == CREDIT


@given(rates, usages)
def test_a_cost_is_rounded_up_once(rate, usage):
    nano = sum(getattr(usage, f"{b}_tokens") * getattr(rate, f"{b}_nano") for b in ("input", "output", "cached_read", "cache_write"))

    over = (rate.cost(usage) - usage.requests * rate.request_micro) * 1000 - nano

    assert 0 <= over < 1000


@given(rates, usages, st.sampled_from(["input_tokens", "output_tokens", "cached_read_tokens", "cache_write_tokens", "requests"]))
def test_more_of_any_bucket_never_costs_less(rate, usage, bucket):
    assert rate.cost(replace(usage, **{bucket: getattr(usage, bucket) + 1})) >= rate.cost(usage)


def test_the_first_pattern_that_matches_prices_a_model():
    card = RateCard(version="1", models=(ModelRate(pattern="big-2", request_micro=2), ModelRate(pattern="big*", request_micro=1)))

    assert [card.cost(model, Usage()) for model in ("big-1", "big-2")] == [1, 2]


def test_an_unknown_model_is_refused():
    card = RateCard(version="7", models=(ModelRate(pattern="known"),))

    with pytest.raises(errors.UnknownModel) as refusal:
        card.cost("other", Usage())

    assert (refusal.value.model, refusal.value.card_version) == ("other", "7")


def test_an_unknown_model_costs_the_price_set_for_unknown_ones():
    card = RateCard(version="1", unknown=ModelRate(pattern="*", request_micro=9))

    assert card.cost("other", Usage()) == 9


@pytest.mark.parametrize("count", [-1, True, 1.0, "1", None, 10_000_000_001])
def test_usage_counts_are_whole_and_not_negative(count):
    with pytest.raises(errors.BadInput) as refusal:
        Usage(input_tokens=count)

    assert refusal.value.field == "input_tokens"


@pytest.mark.parametrize("price", [-1, 1.5, "1", True])
def test_a_price_is_a_whole_number_and_not_negative(price):
    with pytest.raises(ValidationError):
        ModelRate(pattern="*", input_nano=price)


@pytest.mark.parametrize("bucket", ["reasoning_tokens", "audio_input_tokens", "audio_output_tokens"])
def test_a_bucket_without_a_price_of_its_own_costs_what_text_does(bucket):
    rate = ModelRate(pattern="*", input_nano=1_000, output_nano=1_000)

    assert rate.cost(Usage(**{bucket: 7})) == 7


def test_reasoning_sound_and_images_may_have_prices_of_their_own():
    rate = ModelRate(pattern="*", reasoning_nano=1_000, audio_input_nano=2_000, audio_output_nano=3_000, image_micro=50)

    assert rate.cost(Usage(reasoning_tokens=1, audio_input_tokens=1, audio_output_tokens=1, images=2)) == 106


@pytest.mark.parametrize(("prompt", "cost"), [(100, 100), (101, 202), (1001, 3003)])
def test_a_long_prompt_is_priced_by_the_highest_step_it_reaches(prompt, cost):
    steps = (Step(above_tokens=1000, input_nano=3_000), Step(above_tokens=100, input_nano=2_000))

    assert ModelRate(pattern="*", input_nano=1_000, steps=steps).cost(Usage(input_tokens=prompt)) == cost


def test_cached_tokens_count_towards_a_step():
    rate = ModelRate(pattern="*", input_nano=1_000, steps=(Step(above_tokens=100, input_nano=2_000),))

    assert rate.cost(Usage(input_tokens=1, cached_read_tokens=100)) == 2


def test_a_call_costs_the_minimum_at_least():
    rate = ModelRate(pattern="*", input_nano=1_000, minimum_micro=50)

    assert [rate.cost(Usage(input_tokens=count)) for count in (0, 49, 51)] == [50, 50, 51]
