"""The steps of a new studio's set-up."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum


class Step(StrEnum):
    """The steps of a new studio's set-up, in order."""

    rooms = "rooms"
    hours = "hours"
    rates = "rates"


def next_step(saved: Collection[str]) -> Step | None:
    """The first step that was not saved yet; None when all were."""
    return next((step for step in Step if step.value not in saved), None)
