"""Which events tell of disputes. Pure, like `announce`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from .dispute import Dispute, DisputeState
from .events import DisputeClosed, DisputeOpened, Event
from .snapshot import Snapshot


def announce(
    told: Mapping[str, Dispute], snapshot: Snapshot, *, account: str, now: datetime
) -> tuple[dict[str, Dispute], tuple[Event, ...]]:
    """What to tell the host of disputes, oldest first, and what it has been told then (each dispute as it was told of last).

    One that was over when it was first seen is told of as opened and as closed. One whose payment is disputed no more, and which is not
    listed any more, was won.
    """
    after, events = dict(told), list[Event]()
    for one in sorted((*snapshot.disputes, *_settled(told, snapshot)), key=lambda one: (one.created_at, one.id)):
        before = after.get(one.id)
        if before is not None and before.state is one.state:
            continue
        if before is None or not one.state.is_over:
            events.append(_opened(one, account, now))
        if one.state.is_over:
            events.append(_closed(one, account, now))
        after[one.id] = one
    return after, tuple(events)


def _settled(told: Mapping[str, Dispute], snapshot: Snapshot) -> list[Dispute]:
    listed = {one.id for one in snapshot.disputes}
    gone = [one for one in told.values() if not one.state.is_over and one.id not in listed]
    payments = {one.id: one for one in snapshot.payments}
    return [replace(one, state=DisputeState.won) for one in gone if one.payment in payments and not payments[one.payment].is_disputed]


def _opened(one: Dispute, account: str, now: datetime) -> DisputeOpened:
    is_inquiry = one.state is DisputeState.inquiry
    return DisputeOpened(
        account=account,
        key=f"dispute:{one.id}:{'inquiry' if is_inquiry else 'open'}",
        at=now,
        dispute=one.id,
        payment=one.payment,
        amount_minor=one.amount_minor,
        currency=one.currency,
        reason=one.reason,
        is_inquiry=is_inquiry,
        evidence_due_at=one.evidence_due_at,
    )


def _closed(one: Dispute, account: str, now: datetime) -> DisputeClosed:
    return DisputeClosed(
        account=account,
        key=f"dispute:{one.id}:{one.state}",
        at=now,
        dispute=one.id,
        payment=one.payment,
        amount_minor=one.amount_minor,
        currency=one.currency,
        state=one.state,
    )
