from datetime import UTC, datetime

import pytest

flask = pytest.importorskip("flask", reason="the extra 'flask' is not installed")


@pytest.mark.parametrize(("next_grant_at", "shown"), [(datetime(2026, 2, 1, tzinfo=UTC), "2026-02-01T00:00:00+00:00"), (None, None)])
def test_missing_credits_answer_402_with_what_a_client_needs(next_grant_at, shown):
    from roomtone_ai_credits import errors
    from roomtone_ai_credits.flask import answer_insufficient_credits

    app = flask.Flask("host")
    answer_insufficient_credits(app)

    @app.get("/ask")
    def ask():
        raise errors.InsufficientCredits("a", needed=5, available=2, next_grant_at=next_grant_at)

    answer = app.test_client().get("/ask")

    assert (answer.status_code, answer.json) == (
        402,
        {"error": "insufficient_credits", "needed": 5, "available": 2, "next_grant_at": shown},
    )


def test_a_limit_that_is_reached_says_which_and_whose():
    from roomtone_ai_credits import errors
    from roomtone_ai_credits.flask import answer_insufficient_credits

    app = flask.Flask("host")
    answer_insufficient_credits(app)

    @app.get("/ask")
    def ask():
        raise errors.LimitReached("a", limit="seat", scope="user", subject="ada", needed=5, available=2, next_grant_at=None)

    answer = app.test_client().get("/ask")

    assert (answer.status_code, answer.json["error"]) == (402, "limit_reached")
    assert (answer.json["limit"], answer.json["scope"], answer.json["subject"]) == ("seat", "user", "ada")


def test_flask_s_command_line_has_the_commands_on_the_application_s_ledger(ledger, account):
    from roomtone_ai_credits.flask import add_commands

    app = flask.Flask("host")
    add_commands(app, ledger)
    ledger.grant(None, account, amount=2_000_000, key="k")

    answer = app.test_cli_runner().invoke(args=["credits", "balance", account])

    assert "available\t2\n" in answer.output
