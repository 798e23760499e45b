"""What happened to an account's subscription, written with what caused it: for support, and for whoever asks why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from .models import HistoryRow
from .snapshot import Snapshot

SEEN = "seen"


@dataclass(frozen=True, kw_only=True)
class HistoryEntry:
    """One change. `what` is `seen` for what Stripe said, else the verb somebody used; `before` and `after` hold only what differs."""

    at: datetime
    what: str
    before: dict[str, Any]
    after: dict[str, Any]
    reason: str | None


def note(session: Session, account: str, what: str, *, now: datetime, reason: str | None = None, **after: object) -> None:
    """Add what somebody did to the caller's transaction."""
    session.add(HistoryRow(account=account, at=now, what=what, before=None, after=after, reason=reason))


def note_truth(session: Session, account: str, before: Snapshot | None, after: Snapshot, *, now: datetime) -> None:
    """Add what a new snapshot changed about the subscription that decides; nothing when nothing did."""
    old, new = _summary(before), _summary(after)
    differing = [name for name in old | new if old.get(name) != new.get(name)]
    if differing:
        pick = {"before": {name: old.get(name) for name in differing}, "after": {name: new.get(name) for name in differing}}
        session.add(HistoryRow(account=account, at=now, what=SEEN, reason=None, **pick))


def newest(session: Session, account: str, *, limit: int) -> list[HistoryEntry]:
    """The newest entries, newest first."""
    rows = session.scalars(select(HistoryRow).where(HistoryRow.account == account).order_by(HistoryRow.id.desc()).limit(limit))
    return [HistoryEntry(at=row.at, what=row.what, before=row.before or {}, after=row.after or {}, reason=row.reason) for row in rows]


def _summary(truth: Snapshot | None) -> dict[str, Any]:
    main = truth.main() if truth else None
    if truth is None or main is None:
        return {}
    pending = main.scheduled
    return {
        "subscription": main.id,
        "status": str(main.status),
        "plan": main.price.plan,
        "interval": main.price.interval,
        "seats": main.quantity,
        "period_end": main.period_end.isoformat(),
        "cancel_at": main.cancel_at.isoformat() if main.cancel_at else None,
        "paused_at": main.collection_paused_at.isoformat() if main.collection_paused_at else None,
        "scheduled": f"{pending.price.plan} {pending.price.interval} x {pending.quantity}" if pending else None,
        "discounts": [one.coupon for one in main.discounts],
    }
