"""Counting use and holding what runs, under the account's lock: however many ask at once, a limit is never passed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from . import entitlement, facts
from .counting_period import period_at
from .decision import Decision
from .entitlement import Facts
from .errors import KeyReused, NotEntitled, UnknownAccount
from .models import AccountRow, HoldRow, OverrideRow, UsedRow, UseRow
from .transactions import writing

Decide = Callable[[Facts, str, int, datetime], Decision]
# A use sent again after so long is counted anew.
REMEMBERED = timedelta(days=90)


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Units of a feature in use until `until`, or until given back."""

    account: str
    key: str
    feature: str
    units: int
    until: datetime


def consume(engine: Engine, account: str, feature: str, units: int, *, key: str, decide: Decide, now: datetime) -> Decision:
    """Count a use once for its key; returns the decision it was allowed by.

    Raises:
        NotEntitled: it does not fit, and nothing was counted.
        KeyReused: the key stands for another use.
        UnknownAccount: billing has never heard of it.
    """
    with writing(engine) as session:
        known = _locked_facts(session, account, now=now)
        decision = decide(known, feature, units, now)
        earlier = session.get(UseRow, (account, key))
        if earlier is not None:
            _require_same(key, (earlier.feature, earlier.units), (feature, units))
            return replace(decision, allowed=True, reason=f"This use of {feature} was counted before, under the same key.")
        if not decision.allowed:
            raise NotEntitled(decision)
        session.add(UseRow(account=account, key=key, feature=feature, units=units, used_at=now))
        _count(session, known, decision, now=now)
    return decision


def take(engine: Engine, account: str, feature: str, units: int, *, key: str, lasting: timedelta, decide: Decide, now: datetime) -> Hold:
    """Hold units until `now` + `lasting`; under a key that holds already, the same hold for longer.

    Raises:
        NotEntitled, KeyReused, UnknownAccount: as `consume`.
    """
    with writing(engine) as session:
        known = _locked_facts(session, account, now=now)
        row = session.get(HoldRow, (account, key))
        if row is not None and row.until > now:
            _require_same(key, (row.feature, row.units), (feature, units))
            row.until = max(row.until, now + lasting)
        else:
            decision = decide(known, feature, units, now)
            if not decision.allowed:
                raise NotEntitled(decision)
            row = session.merge(HoldRow(account=account, key=key, feature=feature, units=units, taken_at=now, until=now + lasting))
        return Hold(account=account, key=key, feature=feature, units=units, until=row.until)


def give_back(engine: Engine, account: str, key: str) -> None:
    """Give back what the key holds; nothing happens when it holds nothing any more."""
    with writing(engine) as session:
        session.execute(delete(HoldRow).where(HoldRow.account == account, HoldRow.key == key))


def forget_old(engine: Engine, *, now: datetime, limit: int) -> int:
    """Delete keys of uses older than `REMEMBERED` and holds that are over, at most `limit` of each; returns how many."""
    old_uses = select(UseRow.account, UseRow.key).where(UseRow.used_at <= now - REMEMBERED).limit(limit)
    over = select(HoldRow.account, HoldRow.key).where(HoldRow.until <= now).limit(limit)
    with Session(engine) as session:
        uses, holds = session.execute(old_uses).all(), session.execute(over).all()
    if not uses and not holds:
        return 0
    with writing(engine) as session:
        for account, key in uses:
            session.execute(delete(UseRow).where(UseRow.account == account, UseRow.key == key))
        for account, key in holds:
            # It may have been taken anew since it was listed.
            session.execute(delete(HoldRow).where(HoldRow.account == account, HoldRow.key == key, HoldRow.until <= now))
    return len(uses) + len(holds)


def _locked_facts(session: Session, account: str, *, now: datetime) -> Facts:
    if session.scalar(select(AccountRow.account).where(AccountRow.account == account).with_for_update()) is None:
        raise UnknownAccount(account)
    found = facts.read(session, account, now=now)
    assert found is not None, "its row is locked"
    return found


def _count(session: Session, known: Facts, decision: Decision, *, now: datetime) -> None:
    """Add the use to the period's counter; what is beyond the plan comes out of the credits, soonest to end first."""
    feature, units = decision.feature, decision.amount
    start = period_at(known.trial, known.snapshot, now).start
    credit = entitlement.credit_left(known, feature, now)
    room = units if decision.limit is None else max(0, decision.limit - credit - known.used.get((feature, start), 0))
    counted, beyond = min(units, room), units - min(units, room)
    row = session.get(UsedRow, (known.account, feature, start))
    if row is None:
        session.add(UsedRow(account=known.account, feature=feature, period_start=start, units=counted))
    else:
        row.units += counted
    for one in entitlement.living_credits(known, feature, now):
        taken = min(beyond, one.units or 0)
        session.get_one(OverrideRow, one.id).units = (one.units or 0) - taken
        beyond -= taken
    assert beyond == 0, "the decision allowed no more than there is"


def _require_same(key: str, before: tuple[str, int], now: tuple[str, int]) -> None:
    if before != now:
        raise KeyReused(key, before=f"{before[1]} of {before[0]}", now=f"{now[1]} of {now[0]}")
