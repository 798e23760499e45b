"""What hosts are shown of an account: its balance and its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, and_, select, update

from . import records
from .entries import EntryKind
from .limits import Limit, Scope, Tally
from .lots import Lot, LotKind
from .models import ACCOUNT, ENTRY, EVENT, LIMIT, LOT, TALLY
from .notices import Event


@dataclass(frozen=True, kw_only=True, slots=True)
class Balance:
    """What an account has. Amounts are micro-credits."""

    available: int
    """What the next hold may take; below zero by the debt of work that used more than there was."""
    held: int
    granted_this_period: int
    """What monthly allowances gave in the month that runs."""
    debt: int
    next_change_at: datetime | None
    """When time alone changes something: a hold or a lot ends, or a month begins."""
    next_grant_at: datetime | None
    """When the next monthly allowance comes."""
    lots: tuple[Lot, ...]
    """The lots that can be spent from, soonest burnt first."""

    def available_to(self, model: str | None, feature: str | None = None) -> int:
        """What the next hold for `model` by `feature` may take: lots that pay for nothing else count too."""
        return sum(lot.free for lot in self.lots if lot.pays(model, feature)) - self.debt


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryView:
    """A line of history for people. Amounts are micro-credits."""

    at: datetime
    kind: EntryKind
    amount: int
    balance_after: int
    reason: str | None
    feature: str | None
    model: str | None
    user: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitUse:
    """A limit, and what was used under it by one subject. Amounts are micro-credits."""

    limit: Limit
    subject: str | None
    """Who used it; None where the whole account is meant, or nobody has used anything yet."""
    used: int
    """In the window that runs, held credit counted."""
    resets_at: datetime | None
    """When something of it comes free; None when nothing does."""


def balance(connection: Connection, account: str, now: datetime) -> Balance | None:
    """Read a balance in one query; None when something is due and must be booked first."""
    both = ACCOUNT.outerjoin(LOT, and_(LOT.c.account_id == ACCOUNT.c.id, LOT.c.is_open))
    sums = (ACCOUNT.c.debt, ACCOUNT.c.held.label("held_in_all"), ACCOUNT.c.matured_at, ACCOUNT.c.next_change_at, ACCOUNT.c.next_grant_at)
    rows = connection.execute(select(*sums, *LOT.c).select_from(both).where(ACCOUNT.c.account == account)).mappings().all()
    if not rows:
        return Balance(available=0, held=0, granted_this_period=0, debt=0, next_change_at=None, next_grant_at=None, lots=())
    first = rows[0]
    if first["next_change_at"] is not None and first["next_change_at"] <= now:
        return None
    now = max(now, first["matured_at"])
    lots = sorted((records.to_lot(dict(row)) for row in rows if row["number"] is not None), key=Lot.burn_order)
    live = tuple(lot for lot in lots if lot.is_live(now))
    return Balance(
        available=sum(lot.free for lot in live if not lot.is_restricted) - first["debt"],
        held=first["held_in_all"],
        granted_this_period=sum(lot.granted for lot in live if lot.kind is LotKind.allowance),
        debt=first["debt"],
        next_change_at=first["next_change_at"],
        next_grant_at=first["next_grant_at"],
        lots=tuple(lot for lot in live if lot.remaining),
    )


def entries(connection: Connection, account: str, limit: int) -> list[EntryView]:
    """Read what moved the balance, newest first."""
    query = select(ENTRY).join(ACCOUNT, ACCOUNT.c.id == ENTRY.c.account_id).where(ACCOUNT.c.account == account, ENTRY.c.amount != 0)
    rows = connection.execute(query.order_by(ENTRY.c.seq.desc()).limit(limit)).mappings()
    return [EntryView(user=row["used_by"], kind=EntryKind(row["kind"]), **{name: row[name] for name in _SHOWN}) for row in rows]


def limits(connection: Connection, account: str, now: datetime) -> list[LimitUse]:
    """Read the limits in force, and what each subject has used under them."""

    def rows(table: Table) -> list[dict[str, Any]]:
        query = select(table).join(ACCOUNT, ACCOUNT.c.id == table.c.account_id).where(ACCOUNT.c.account == account)
        return [dict(row) for row in connection.execute(query.order_by(table.c.name, table.c.subject)).mappings()]

    tallies = [records.to_tally(row) for row in rows(TALLY)]
    found = {(limit.name, limit.subject): limit for limit in map(records.to_limit, rows(LIMIT)) if limit.is_active}
    uses = []
    for (name, subject), limit in found.items():
        own = {tally.subject: tally for tally in tallies if tally.name == name and tally.subject == subject}
        each = {tally.subject: tally for tally in tallies if tally.name == name and (name, tally.subject) not in found}
        counted = own if subject or limit.scope is Scope.account else each
        for tally in counted.values() or (Tally(name=name, subject=subject),):
            left = tally.left(limit, now)
            resets_at = limit.resets_at(tally, now)
            uses.append(LimitUse(limit=limit, subject=tally.subject or None, used=limit.amount - left, resets_at=resets_at))
    return uses


def events(connection: Connection, limit: int) -> list[Event]:
    """Read what the host was not told yet, oldest first."""
    query = select(EVENT, ACCOUNT.c.account).join(ACCOUNT, ACCOUNT.c.id == EVENT.c.account_id).where(EVENT.c.told_at.is_(None))
    rows = connection.execute(query.order_by(EVENT.c.at, EVENT.c.account_id, EVENT.c.number).limit(limit)).mappings()
    return [records.to_event(dict(row)) for row in rows]


def acknowledge(connection: Connection, events: Sequence[Event], now: datetime) -> None:
    """Note that the host was told."""
    for event in events:
        account_id = select(ACCOUNT.c.id).where(ACCOUNT.c.account == event.account).scalar_subquery()
        told = update(EVENT).where(EVENT.c.account_id == account_id, EVENT.c.number == event.number, EVENT.c.told_at.is_(None))
        connection.execute(told.values(told_at=now))


_SHOWN = ("at", "amount", "balance_after", "reason", "feature", "model")
