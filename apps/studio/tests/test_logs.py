"""Log lines never hold a secret."""

import json

import pytest
import structlog

from studio import logs


@pytest.fixture(autouse=True)
def json_lines():
    logs.configure("json")
    yield
    logs.configure("console")


def test_values_named_like_secrets_are_blanked(capsys) -> None:
    structlog.get_logger().warning("x", password="hunter2", stripe_api_key="sk_live_1", csrf_token="t", tenant="echo")

    line = json.loads(capsys.readouterr().out)
    assert (line["password"], line["stripe_api_key"], line["csrf_token"], line["tenant"]) == (
        "[redacted]",
        "[redacted]",
        "[redacted]",
        "echo",
    )


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_shows_no_values(capsys, log_format: str) -> None:
    logs.configure(log_format)
    very_secret = "hunter2"

    try:
        int("not a number " + very_secret[:0])
    except ValueError:
        structlog.get_logger().exception("failed")

    said = capsys.readouterr().out
    assert "ValueError" in said
    assert "hunter2" not in said
