"""What providers report, raw, and the buckets it means."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomtone_ai_credits import ModelRate, Usage, errors, read_usage
from roomtone_ai_credits.usage import BUCKETS

CHAT = {"prompt_tokens": 2006, "completion_tokens": 300, "total_tokens": 2306}
RESPONSES = {"input_tokens": 36, "output_tokens": 87, "total_tokens": 123}
ANTHROPIC = {"input_tokens": 2095, "output_tokens": 503}
PYDANTIC = {"input_tokens": 1000, "output_tokens": 200, "cache_read_tokens": 0, "requests": 1, "unmeasured_requests": 0}
GOLDEN = {
    "openai chat, plain": (CHAT, {"input_tokens": 2006, "output_tokens": 300}),
    "openai chat, cached and thought": (
        {
            **CHAT,
            "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 256, "audio_tokens": 0, "accepted_prediction_tokens": 0},
        },
        {"input_tokens": 86, "cached_read_tokens": 1920, "output_tokens": 44, "reasoning_tokens": 256},
    ),
    "openai chat, sound": (
        {
            "prompt_tokens": 150,
            "completion_tokens": 90,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 110},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 70},
        },
        {"input_tokens": 40, "audio_input_tokens": 110, "output_tokens": 20, "audio_output_tokens": 70},
    ),
    "openai chat, details left out": ({**CHAT, "prompt_tokens_details": None}, {"input_tokens": 2006, "output_tokens": 300}),
    "openai responses": (
        {**RESPONSES, "input_tokens_details": {"cached_tokens": 30}, "output_tokens_details": {"reasoning_tokens": 64}},
        {"input_tokens": 6, "cached_read_tokens": 30, "output_tokens": 23, "reasoning_tokens": 64},
    ),
    "openai responses, written to the cache": (
        {
            **RESPONSES,
            "input_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 20},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
        {"input_tokens": 6, "cached_read_tokens": 10, "cache_write_tokens": 20, "output_tokens": 87},
    ),
    "anthropic, plain": (ANTHROPIC, {"input_tokens": 2095, "output_tokens": 503}),
    "anthropic, cached apart": (
        {**ANTHROPIC, "cache_read_input_tokens": 12_000, "cache_creation_input_tokens": 800, "service_tier": "standard"},
        {"input_tokens": 2095, "cached_read_tokens": 12_000, "cache_write_tokens": 800, "output_tokens": 503},
    ),
    "anthropic, thought": (
        {**ANTHROPIC, "cache_read_input_tokens": None, "output_tokens_details": {"thinking_tokens": 400}},
        {"input_tokens": 2095, "output_tokens": 103, "reasoning_tokens": 400},
    ),
    "pydantic-ai": (PYDANTIC, {"input_tokens": 1000, "output_tokens": 200}),
    "pydantic-ai, everything inside": (
        {
            **PYDANTIC,
            "requests": 3,
            "cache_read_tokens": 600,
            "cache_write_tokens": 100,
            "cache_write_1h_tokens": 40,
            "input_audio_tokens": 50,
            "cache_audio_read_tokens": 20,
            "output_reasoning_tokens": 120,
            "output_audio_tokens": 30,
        },
        {
            "input_tokens": 270,
            "cached_read_tokens": 600,
            "cache_write_tokens": 100,
            "audio_input_tokens": 30,
            "output_tokens": 50,
            "reasoning_tokens": 120,
            "audio_output_tokens": 30,
            "requests": 3,
        },
    ),
    "gemini": (
        {"prompt_token_count": 500, "cached_content_token_count": 300, "candidates_token_count": 80, "thoughts_token_count": 40},
        {"input_tokens": 200, "cached_read_tokens": 300, "output_tokens": 80, "reasoning_tokens": 40},
    ),
    "gemini, tools": (
        {"prompt_token_count": 500, "tool_use_prompt_token_count": 20, "candidates_token_count": 80, "total_token_count": 600},
        {"input_tokens": 520, "output_tokens": 80},
    ),
}


def as_object(raw):
    """As the SDKs give it: attributes instead of keys."""
    return SimpleNamespace(**{name: as_object(value) if isinstance(value, dict) else value for name, value in raw.items()})


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("shape", [dict, as_object])
def test_each_report_means_its_buckets(name, shape):
    raw, buckets = GOLDEN[name]

    assert read_usage(shape(raw)) == Usage(**buckets)


@pytest.mark.parametrize("name", [name for name in GOLDEN if not name.startswith(("anthropic", "gemini"))])
def test_no_token_is_counted_twice_or_lost(name):
    raw, _ = GOLDEN[name]
    usage = read_usage(raw)

    total = sum(raw.get(part, 0) for part in ("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens"))
    assert sum(count for bucket, count in usage.counts().items() if bucket not in {"images", "requests"}) == total


@pytest.mark.parametrize(
    "raw",
    [
        None,
        {**CHAT, "prompt_tokens": 0, "completion_tokens": 0},
        {**PYDANTIC, "unmeasured_requests": 1},
        {**ANTHROPIC, "input_tokens": 0, "output_tokens": 0},
    ],
)
def test_a_report_that_is_absent_or_half_absent_is_no_usage(raw):
    assert read_usage(raw) is None


@pytest.mark.parametrize("raw", [{}, 5, {"tokens": 7}, {"prompt_tokens": -1}, {"prompt_tokens": 1.5}, {"prompt_tokens": True}])
def test_what_nobody_reports_is_refused_and_not_read_as_nothing(raw):
    with pytest.raises(errors.BadInput):
        read_usage(raw)


def test_a_providers_own_arithmetic_makes_no_negative_count():
    raw = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 12}}

    assert read_usage(raw) == Usage(input_tokens=0, cached_read_tokens=12, output_tokens=5)


def test_images_are_counted_by_the_host():
    assert read_usage(CHAT, images=2).images == 2


@given(st.fixed_dictionaries({name: st.integers(0, 10_000) for name in BUCKETS}), st.sampled_from(BUCKETS), st.integers(0, 1_000))
def test_more_of_any_bucket_never_costs_less(counts, bucket, more):
    rate = ModelRate(
        pattern="*",
        input_nano=7,
        output_nano=31,
        cached_read_nano=1,
        cache_write_nano=9,
        reasoning_nano=40,
        audio_input_nano=50,
        request_micro=2,
        image_micro=3,
        minimum_micro=100,
    )

    assert rate.cost(Usage(**{**counts, bucket: counts[bucket] + more})) >= rate.cost(Usage(**counts))
