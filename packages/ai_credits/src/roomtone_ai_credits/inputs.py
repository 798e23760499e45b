"""What comes in from a host, checked at the door."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .amount import is_whole
from .errors import BadInput

KEY_MAX = 200


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
