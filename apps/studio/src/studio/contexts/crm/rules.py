"""What makes two names the same client, as pure rules."""

from __future__ import annotations

from enum import StrEnum


class PartyKind(StrEnum):
    """What a party is by law."""

    person = "person"
    company = "company"


def normal_email(text: str | None) -> str | None:
    """The address in the form it is compared in; None for nothing but spaces."""
    return (text or "").strip().lower() or None


def normal_name(text: str) -> str:
    """The name with single spaces and none around it."""
    return " ".join(text.split())
