"""States, limits and fingerprints of the assistant, as pure rules."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

TURN_LIMIT_S = 60.0  # wall clock of one turn, all its requests together
TURN_LOST_AFTER = timedelta(seconds=2 * TURN_LIMIT_S)  # a turn still running then lost its process
TOOL_CALLS_MAX = 6
REQUESTS_MAX = TOOL_CALLS_MAX + 1
HISTORY_TURNS = 6  # how much of a conversation the model is told again
QUESTION_LENGTH_MAX = 1000
ANSWER_LENGTH_MAX = 8000
PROPOSALS_MAX = 3  # cards in one turn
PROPOSAL_TTL = timedelta(minutes=15)
TITLE_LENGTH_MAX = 80


class TurnState(StrEnum):
    """Where a turn stands. Only an answered one is charged."""

    running = "running"
    answered = "answered"
    failed = "failed"


class ActionState(StrEnum):
    """Where a proposal stands. It leaves `proposed` once, for good."""

    proposed = "proposed"
    confirmed = "confirmed"
    rejected = "rejected"
    expired = "expired"


def fingerprint(*, kind: str, arguments: Mapping[str, object], preview: Mapping[str, object], user_id: str, expires_at: datetime) -> str:
    """What a confirmation is bound to: this very change, as it was shown, by this person, until then."""
    facts = [kind, arguments, preview, user_id, int(expires_at.timestamp())]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def title_of(question: str) -> str:
    """What a conversation is called: how its first question begins."""
    text = " ".join(question.split())
    return text if len(text) <= TITLE_LENGTH_MAX else text[: TITLE_LENGTH_MAX - 1].rstrip() + "…"


def clean(text: str, length_max: int) -> str:
    """Text that can be stored and shown: without control characters but line ends and tabs, without marks that turn the reading
    direction around, and cut to a length.
    """
    return "".join(c for c in text if c in "\n\t" or (unicodedata.category(c) not in {"Cc", "Cs"} and c not in _TURNS)).strip()[:length_max]


_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
