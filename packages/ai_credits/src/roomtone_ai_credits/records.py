"""Turns rows into the pure values and back."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from operator import attrgetter
from typing import Any

from .books import Books
from .entries import Book, Entry, EntryKind, Note, Posting
from .holds import Hold, HoldState
from .limits import Limit, Scope, Tally, Window
from .lots import Lot, LotKind
from .notices import Event, EventKind, TopUp
from .periods import Allowance
from .pricing import ModelRate
from .usage import Usage


# Hundreds of holds were made at the same few prices.
@functools.lru_cache(maxsize=256)
def _written(rate: ModelRate) -> Mapping[str, Any]:
    return rate.model_dump(exclude_defaults=True)


def _rate(written: Mapping[str, Any]) -> ModelRate:
    return _read_rate(json.dumps(written))


@functools.lru_cache(maxsize=256)
def _read_rate(written: str) -> ModelRate:
    return ModelRate.model_validate_json(written)


# Any below: the columns of a row have many types.
def from_books(books: Books) -> dict[str, Any]:
    """Write an account's row."""
    return {
        "account": books.account,
        "seq": books.seq,
        "lot_count": books.lot_count,
        "balance": books.balance,
        "debt": books.debt,
        "held": books.held,
        "carry_nano": books.carry_nano,
        "matured_at": books.now,
        "next_change_at": books.next_change_at,
        "next_grant_at": books.next_grant_at,
        "limit_count": books.limit_count,
        "event_count": books.event_count,
        "alerts": [asdict(alert) for alert in books.alerts],
        "top_up": _from_top_up(books.top_up) if books.top_up else None,
    }


def to_lot(row: Mapping[str, Any]) -> Lot:
    """Read a lot."""
    return Lot(
        kind=LotKind(row["kind"]),
        models=tuple(row["models"]),
        features=tuple(row["features"]),
        is_done=not row["is_open"],
        **{name: row[name] for name in _LOT},
    )


def from_lot(account_id: int, lot: Lot) -> dict[str, Any]:
    """Write a lot."""
    patterns = {"models": list(lot.models), "features": list(lot.features)}
    return {
        "account_id": account_id,
        "kind": lot.kind.value,
        "is_open": lot.is_open,
        **patterns,
        **{name: getattr(lot, name) for name in _LOT},
    }


def from_changed_lot(lot: Lot) -> dict[str, Any]:
    """Write what may change of a lot."""
    return {
        "number": lot.number,
        "remaining": lot.remaining,
        "held": lot.held,
        "expires_at": lot.expires_at,
        "is_open": lot.is_open,
    }


def to_hold(account: str, row: Mapping[str, Any]) -> Hold:
    """Read a hold."""
    return Hold(
        account=account,
        state=HoldState(row["state"]),
        # JSON has only text as keys.
        slices={int(number): amount for number, amount in row["slices"].items()},
        rate=_rate(row["rate"]),
        estimate=Usage(**row["estimate"]),
        user=row["used_by"],
        limits=tuple(row["limits"]),
        **{name: row[name] for name in _HOLD},
    )


def from_hold(account_id: int, hold: Hold) -> dict[str, Any]:
    """Write a hold."""
    return {
        "account_id": account_id,
        "key": hold.key,
        "digest": hold.digest,
        "estimate": hold.estimate.used(),
        "model": hold.model,
        "used_by": hold.user,
        "feature": hold.feature,
        "team": hold.team,
        "api_key": hold.api_key,
        "id": hold.id,
        "parent_id": hold.parent_id,
        **_from_terms(hold),
    }


def _from_terms(hold: Hold) -> dict[str, Any]:
    """Write what may change of a hold."""
    return {
        "state": hold.state.value,
        "amount": hold.amount,
        "slices": {str(number): amount for number, amount in hold.slices.items()},
        "held_at": hold.held_at,
        "expires_at": hold.expires_at,
        "rate": _written(hold.rate),
        "card_version": hold.card_version,
        "charged": hold.charged,
        "is_late": hold.is_late,
        "limits": list(hold.limits),
    }


def from_changed_hold(before: Hold, hold: Hold) -> dict[str, Any]:
    """Write what has changed of a hold; nothing of one ever becomes absent again."""
    row: dict[str, Any] = {"id": hold.id, "state": hold.state.value, "amount": hold.amount}
    if hold.slices is not before.slices:
        row["slices"] = {str(number): amount for number, amount in hold.slices.items()}
    if hold.held_at is not before.held_at or hold.expires_at is not before.expires_at:
        row |= _from_terms(hold)
    elif hold.charged is not None:
        row |= {"charged": hold.charged, "is_late": hold.is_late}
    return row


def to_allowance(row: Mapping[str, Any]) -> Allowance:
    """Read an allowance."""
    return Allowance(**{name: row[name] for name in _ALLOWANCE})


def from_allowance(account_id: int, allowance: Allowance) -> dict[str, Any]:
    """Write an allowance."""
    return {"account_id": account_id, **{name: getattr(allowance, name) for name in _ALLOWANCE}}


def to_entry(row: Mapping[str, Any], postings: tuple[Posting, ...] = ()) -> Entry:
    """Read an entry; its postings are read apart."""
    note = Note(user=row["used_by"], limits=tuple(row["limits"] or ()), **{name: row[name] for name in _NOTE})
    return Entry(kind=EntryKind(row["kind"]), note=note, postings=postings, **{name: row[name] for name in _ENTRY})


def to_entries(rows: Sequence[Mapping[str, Any]], sides: Sequence[Mapping[str, Any]]) -> dict[str, Entry]:
    """Read entries and their postings, by key."""
    postings: dict[int, list[Posting]] = {}
    for side in sorted(sides, key=lambda side: (side["seq"], side["side"])):
        postings.setdefault(side["seq"], []).append(to_posting(side))
    return {row["key"]: to_entry(row, tuple(postings.get(row["seq"], ()))) for row in rows}


def from_entry(account_id: int, entry: Entry) -> dict[str, Any]:
    """Write an entry; what is not there is left out."""
    note = entry.note
    row = {
        "account_id": account_id,
        "seq": entry.seq,
        "key": entry.key,
        "kind": _KINDS[entry.kind],
        "at": entry.at,
        "amount": entry.amount,
        "balance_after": entry.balance_after,
        "digest": note.digest,
    }
    row |= {name: value for name, value in zip(_WRITTEN, _WRITTEN_OF(note), strict=True) if value is not None}
    if note.limits:
        row["limits"] = list(note.limits)
    return row


def to_posting(row: Mapping[str, Any]) -> Posting:
    """Read a posting."""
    return Posting(book=Book(row["book"]), amount=row["amount"], lot=row["lot"])


def from_postings(entry: Entry) -> list[tuple[int, int, str, int | None, int]]:
    """Write the postings of an entry: seq, side, book, lot and amount."""
    return [(entry.seq, side, _BOOKS[posting.book], posting.lot, posting.amount) for side, posting in enumerate(entry.postings)]


def to_limit(row: Mapping[str, Any]) -> Limit:
    """Read a limit."""
    return Limit(scope=Scope(row["scope"]), window=Window(row["span"]), **{name: row[name] for name in _LIMIT})


def from_limit(account_id: int, limit: Limit) -> dict[str, Any]:
    """Write a limit."""
    kinds = {"scope": limit.scope.value, "span": limit.window.value}
    return {"account_id": account_id, **kinds, **{name: getattr(limit, name) for name in _LIMIT}}


def to_tally(row: Mapping[str, Any]) -> Tally:
    """Read a tally."""
    return Tally(**{name: row[name] for name in _TALLY})


def from_tally(account_id: int, tally: Tally) -> dict[str, Any]:
    """Write a tally."""
    return {"account_id": account_id, **{name: getattr(tally, name) for name in _TALLY}}


def from_event(account_id: int, event: Event) -> dict[str, Any]:
    """Write an event."""
    return {"account_id": account_id, "number": event.number, "at": event.at, "kind": event.kind.value, "data": dict(event.data)}


def to_event(row: Mapping[str, Any]) -> Event:
    """Read an event."""
    return Event(account=row["account"], number=row["number"], at=row["at"], kind=EventKind(row["kind"]), data=row["data"])


def to_top_up(kept: Mapping[str, Any] | None) -> TopUp | None:
    """Read the order for more credits."""
    if kept is None:
        return None
    wait = kept["wait_until"]
    return TopUp(**{**kept, "wait_until": datetime.fromisoformat(wait) if wait else None})


def _from_top_up(top_up: TopUp) -> dict[str, Any]:
    wait = top_up.wait_until
    return {**asdict(top_up), "wait_until": wait.isoformat() if wait else None}


_LOT = (
    *("number", "granted", "remaining", "held", "granted_at", "effective_at", "expires_at"),
    *("priority", "cost_minor", "currency", "rule", "period"),
)
_HOLD = (
    *("id", "key", "digest", "amount", "held_at", "expires_at", "card_version", "model", "feature", "charged", "is_late"),
    *("team", "api_key", "parent_id"),
)
_ALLOWANCE = (
    *("rule", "amount", "anchor_at", "timezone", "ends_at", "next_period", "granted", "is_active"),
    *("rollover_max", "rollover_percent", "rollover_months"),
)
_LIMIT = ("name", "subject", "amount", "length_s", "timezone", "is_hard", "is_active")
_TALLY = ("name", "subject", "held", "spent", "before")
_ENTRY = ("seq", "key", "at", "amount", "balance_after")
_NOTE = ("digest", "reason", "actor", "hold_id", "model", "feature", "card_version", "usage", "priced_nano", "team", "api_key")
# What may be missing of a note, by the names of its columns; its limits are a list there.
_WRITTEN = ("reason", "actor", "hold_id", "model", "feature", "used_by", "card_version", "usage", "priced_nano", "team", "api_key")
_WRITTEN_OF = attrgetter(*(name if name != "used_by" else "user" for name in _WRITTEN))
# Reading `value` of a member runs code of `enum`; there are three to an entry.
_BOOKS, _KINDS = {book: book.value for book in Book}, {kind: kind.value for kind in EntryKind}
