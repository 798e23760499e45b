"""Entries: what happened to an account, as postings that sum to zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class EntryKind(StrEnum):
    """What an entry records."""

    grant = "grant"
    charge = "charge"
    expiry = "expiry"
    adjustment = "adjustment"
    reversal = "reversal"
    transfer = "transfer"
    clawback = "clawback"
    """What is left of a grant was taken back."""
    write_off = "write_off"
    """What no credit covered was given up instead of owed."""
    repayment = "repayment"
    """Credit that came in or came free paid a debt; the balance is unchanged."""
    allowance = "allowance"
    """A monthly allowance was set or ended; the balance is unchanged."""
    rule = "rule"
    """A limit, an alert or a top-up was set or removed; the balance is unchanged."""


class Book(StrEnum):
    """The side of a posting. `lot` and `debt` are the account's; the others are counterparts, kept as sums only."""

    lot = "lot"
    debt = "debt"
    issued = "issued"
    consumed = "consumed"
    expired = "expired"
    adjusted = "adjusted"
    transferred = "transferred"
    written_off = "written_off"


@dataclass(frozen=True, kw_only=True, slots=True)
class Posting:
    """One side of an entry: micro-credits that came into (+) or left (-) a book."""

    book: Book
    amount: int
    lot: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """What people and reports want to know of an entry; nothing in it moves credits."""

    digest: str = ""
    reason: str | None = None
    actor: str | None = None
    hold_id: str | None = None
    model: str | None = None
    feature: str | None = None
    user: str | None = None
    team: str | None = None
    api_key: str | None = None
    card_version: str | None = None
    usage: Mapping[str, int] | None = None
    priced_nano: int | None = None
    """The exact price of a charge, in nano-credits; what is less than a micro-credit was carried."""
    limits: tuple[str, ...] = ()
    """The tallies a charge was counted in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One line of an account's history, never changed once written. Amounts are micro-credits."""

    seq: int
    key: str
    kind: EntryKind
    at: datetime
    amount: int
    """The effect on the balance."""
    balance_after: int
    postings: tuple[Posting, ...]
    note: Note = field(default_factory=Note)
