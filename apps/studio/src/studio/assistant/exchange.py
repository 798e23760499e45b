"""What goes to the model and what comes back, as values of our own."""

from __future__ import annotations

from dataclasses import dataclass

from roomtone_ai_credits import Usage


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A question and its answer, as the model is told them again."""

    question: str
    answer: str


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the model said, and what of its work is charged."""

    text: str
    usage: Usage
