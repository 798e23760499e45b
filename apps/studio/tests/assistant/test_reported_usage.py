"""What the providers' own classes report is read as their raw JSON is."""

import pytest
from anthropic.types import CacheCreation, Message, MessageDeltaUsage
from anthropic.types import Usage as AnthropicUsage
from openai.types import CompletionUsage
from openai.types.completion_usage import CompletionTokensDetails, PromptTokensDetails
from openai.types.responses import ResponseUsage
from pydantic_ai import Agent
from pydantic_ai.models.test import TestModel
from pydantic_ai.usage import RequestUsage, RunUsage

from roomtone_ai_credits import Usage, read_usage

CACHED = {"cached_tokens": 30, "cache_write_tokens": 0}
REPORTS = {
    "openai chat": (
        CompletionUsage(
            prompt_tokens=2006,
            completion_tokens=300,
            total_tokens=2306,
            prompt_tokens_details=PromptTokensDetails(cached_tokens=1920, audio_tokens=0),
            completion_tokens_details=CompletionTokensDetails(reasoning_tokens=256, audio_tokens=0),
        ),
        Usage(input_tokens=86, cached_read_tokens=1920, output_tokens=44, reasoning_tokens=256),
    ),
    "openai chat, no details": (
        CompletionUsage(prompt_tokens=10, completion_tokens=5, total_tokens=15),
        Usage(input_tokens=10, output_tokens=5),
    ),
    "openai responses": (
        ResponseUsage.model_validate(
            {
                **{"input_tokens": 36, "output_tokens": 87, "total_tokens": 123},
                **{"input_tokens_details": CACHED, "output_tokens_details": {"reasoning_tokens": 64}},
            }
        ),
        Usage(input_tokens=6, cached_read_tokens=30, output_tokens=23, reasoning_tokens=64),
    ),
    "anthropic": (
        AnthropicUsage(
            input_tokens=2095,
            output_tokens=503,
            cache_read_input_tokens=12_000,
            cache_creation_input_tokens=800,
            cache_creation=CacheCreation(ephemeral_1h_input_tokens=300, ephemeral_5m_input_tokens=500),
        ),
        Usage(input_tokens=2095, cached_read_tokens=12_000, cache_write_tokens=800, output_tokens=503),
    ),
    "anthropic, no cache": (AnthropicUsage(input_tokens=7, output_tokens=3), Usage(input_tokens=7, output_tokens=3)),
    "anthropic, end of a stream": (
        MessageDeltaUsage(input_tokens=7, output_tokens=3, cache_read_input_tokens=5),
        Usage(input_tokens=7, cached_read_tokens=5, output_tokens=3),
    ),
    "pydantic-ai, a request": (
        RequestUsage(input_tokens=1000, output_tokens=200, cache_read_tokens=600, cache_write_tokens=100),
        Usage(input_tokens=300, cached_read_tokens=600, cache_write_tokens=100, output_tokens=200),
    ),
    "pydantic-ai, a run": (
        RunUsage(requests=3, input_tokens=1000, output_tokens=200, cache_read_tokens=600),
        Usage(input_tokens=400, cached_read_tokens=600, output_tokens=200, requests=3),
    ),
}


@pytest.mark.parametrize("name", REPORTS)
def test_an_object_of_the_providers_own_class_means_its_buckets(name):
    reported, usage = REPORTS[name]

    assert read_usage(reported) == usage


def test_a_message_of_the_api_is_read_as_it_came():
    message = Message.model_validate(
        {
            **{"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": []},
            **{"stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 4}},
        }
    )

    assert read_usage(message.usage) == Usage(input_tokens=9, output_tokens=4)


def test_what_an_agent_s_run_used_is_read_whole():
    run = Agent(TestModel(custom_output_text="done")).run_sync("Book a room.")

    usage = read_usage(run.usage)

    assert usage is not None
    assert (usage.requests, usage.input_tokens, usage.output_tokens) == (1, run.usage.input_tokens, run.usage.output_tokens)


def test_a_run_with_a_request_nobody_measured_is_no_usage():
    fields = getattr(RunUsage, "__dataclass_fields__", {})
    assert "unmeasured_requests" in fields

    assert read_usage(RunUsage(requests=2, input_tokens=5, unmeasured_requests=1)) is None
