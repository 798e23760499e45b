"""What comes in from a host, checked at the door."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .amount import LARGEST, is_whole, positive
from .errors import BadInput

KEY_MAX = 200
E = TypeVar("E", bound=StrEnum)


def key(text: str, field: str = "key", length_max: int = KEY_MAX) -> str:
    """Return a text of 1 to `length_max` characters. Raises: BadInput."""
    if not 0 < len(text) <= length_max:
        raise BadInput(field, text, f"a text of 1 to {length_max} characters")
    return text


def ttl(seconds: int) -> int:
    """Return a whole number of seconds above 0. Raises: BadInput."""
    if not is_whole(seconds) or seconds <= 0:
        raise BadInput("ttl_s", seconds, "a whole number of seconds above 0, so that every hold ends")
    return seconds


def whole(field: str, value: int, most: int = LARGEST, *, least: int = 0) -> int:
    """Return a whole number from `least` to `most`. Raises: BadInput."""
    if not is_whole(value) or not least <= value <= most:
        raise BadInput(field, value, f"a whole number from {least} to {most}")
    return value


def cost(minor: int, currency: str | None) -> None:
    """Check a price that was paid: minor units and their currency, both or neither. Raises: BadAmount, BadInput."""
    if minor:
        positive(minor, "cost_minor")
    if (currency is None) == bool(minor):
        raise BadInput("currency", currency, "given with cost_minor, and only then")


def one_of(field: str, kinds: type[E], value: str) -> E:
    """Return the kind of this name. Raises: BadInput."""
    try:
        return kinds(value)
    except ValueError as problem:
        raise BadInput(field, value, "one of " + ", ".join(repr(kind.value) for kind in kinds)) from problem


def instant(field: str, value: datetime) -> datetime:
    """Return an aware time in UTC. Raises: BadInput."""
    if value.tzinfo is None:
        raise BadInput(field, value, "a datetime with a time zone")
    return value.astimezone(UTC)


def zone(name: str) -> str:
    """Return the name of a time zone that exists. Raises: BadInput."""
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError) as problem:
        raise BadInput("timezone", name, "a name of the IANA time zone database") from problem
