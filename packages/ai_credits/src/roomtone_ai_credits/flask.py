"""Answers `InsufficientCredits` for Flask hosts: 402 with what is needed, what there is, and when credits return."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, jsonify

from .credits import AiCredits
from .errors import InsufficientCredits, LimitReached


def answer_insufficient_credits(app: Flask | Blueprint) -> None:
    """Make `app` answer every uncaught InsufficientCredits with 402 and a JSON body. Amounts are micro-credits, times ISO 8601.

    A LimitReached says "limit_reached" and which limit, of whom.
    """
    app.register_error_handler(InsufficientCredits, _payment_required)


def add_commands(app: Flask, credits_: AiCredits) -> None:
    """Add `flask credits …` to the application's command line: what `credits` does, on this ledger. Needs the extra `cli`."""
    from .cli import commands_of  # an extra: pages need no command line

    app.cli.add_command(commands_of(credits_))


def _payment_required(refusal: InsufficientCredits) -> tuple[Response, int]:
    body = {
        "error": "insufficient_credits",
        "needed": refusal.needed,
        "available": refusal.available,
        "next_grant_at": refusal.next_grant_at.isoformat() if refusal.next_grant_at else None,
    }
    if isinstance(refusal, LimitReached):
        body |= {"error": "limit_reached", "limit": refusal.limit, "scope": refusal.scope, "subject": refusal.subject or None}
    return jsonify(body), 402
