"""The stored facts a decision follows from, read in one query."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Text, and_, cast, literal, null, or_, select, union_all
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import Subquery

from . import snapshot, sync
from .counting_period import PERIOD_DAYS_MAX
from .decision import Source
from .entitlement import Facts, Held, Override
from .errors import EntitlementsUnavailable
from .facts_cache import FactsCache, Kept
from .models import AccountRow, HoldRow, Instant, OverrideRow, UsedRow

_USED, _HELD = "used", "held"


def remembered(engine: Engine, cache: FactsCache, account: str, *, now: datetime) -> Kept:
    """The account's facts from the cache, else read and kept; an unknown account has none, and that is not kept.

    Raises:
        EntitlementsUnavailable: the database cannot be asked, and nothing is kept that is young enough.
    """
    found = cache.get(account, now)
    if found is not None:
        return found
    loading = cache.begin(account)
    try:
        with Session(engine) as session:
            facts = read(session, account, now=now)
        found = Kept(facts=facts, read_at=now) if facts is not None else None
    except SQLAlchemyError as error:
        raise EntitlementsUnavailable(account, type(error).__name__) from error
    finally:
        cache.end(account, loading, found)
    return found or Kept(facts=Facts(account=account), read_at=now)


def read(session: Session, account: str, *, now: datetime) -> Facts | None:
    """The account's facts, in one query; None when billing has never heard of it."""
    extra = _extras(account, now)
    rows = session.execute(
        select(AccountRow, extra).outerjoin(extra, extra.c.account == AccountRow.account).where(AccountRow.account == account)
    ).all()
    if not rows:
        return None
    row: AccountRow = rows[0][0]
    extras = [_Extra(*found[2:]) for found in rows if found[1] is not None]
    return Facts(
        account=account,
        trial=sync.trial_of(row),
        suspension=sync.suspension_of(row),
        snapshot=snapshot.from_json(row.snapshot) if row.snapshot else None,
        overrides=tuple(_override(one) for one in extras if one.kind not in {_USED, _HELD}),
        used={(one.feature, one.at): one.units or 0 for one in extras if one.kind == _USED},
        holds=tuple(Held(feature=one.feature, units=one.units or 0, until=one.until or one.at) for one in extras if one.kind == _HELD),
    )


@dataclass(frozen=True)
class _Extra:
    kind: str
    id: int
    feature: str
    units: int | None
    at: datetime
    until: datetime | None
    reason: str
    actor: str


def _extras(account: str, now: datetime) -> Subquery:
    """Exceptions, counters and holds in one list, so that the one query needs no product of them."""
    nothing = literal("", Text)
    no_time: Any = cast(null(), Instant())  # Any: a NULL that only has to have the column's type
    living = and_(OverrideRow.revoked_at.is_(None), or_(OverrideRow.until.is_(None), OverrideRow.until > now))
    exceptions = select(
        OverrideRow.account,
        cast(OverrideRow.source, Text).label("kind"),
        OverrideRow.id,
        cast(OverrideRow.feature, Text).label("feature"),
        OverrideRow.units,
        OverrideRow.created_at.label("at"),
        OverrideRow.until,
        OverrideRow.reason,
        OverrideRow.actor,
    ).where(OverrideRow.account == account, living)
    used = select(
        UsedRow.account,
        literal(_USED, Text),
        literal(0),
        cast(UsedRow.feature, Text),
        UsedRow.units,
        UsedRow.period_start,
        no_time,
        nothing,
        nothing,
    ).where(UsedRow.account == account, UsedRow.period_start > now - timedelta(days=PERIOD_DAYS_MAX + 1))
    held = select(
        HoldRow.account,
        literal(_HELD, Text),
        literal(0),
        cast(HoldRow.feature, Text),
        HoldRow.units,
        HoldRow.taken_at,
        HoldRow.until,
        nothing,
        nothing,
    ).where(HoldRow.account == account, HoldRow.until > now)
    return union_all(exceptions, used, held).subquery()


def _override(one: _Extra) -> Override:
    return Override(
        id=one.id,
        feature=one.feature,
        source=Source(one.kind),
        units=one.units,
        reason=one.reason,
        actor=one.actor,
        created_at=one.at,
        until=one.until,
    )
