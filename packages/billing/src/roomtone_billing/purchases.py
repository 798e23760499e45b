"""Packs: the page that sells one, and which events tell of what was bought and what was paid back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from .events import Event, PackBought, PackRefunded
from .snapshot import Purchase, Snapshot


def announce(told: Mapping[str, int], snapshot: Snapshot, *, account: str, now: datetime) -> tuple[dict[str, int], tuple[Event, ...]]:
    """What to tell the host of packs, oldest first, and what it has been told then (refunded minor units by purchase).

    A pack is told of when it is paid, so what is granted follows money; a refund that fails later is not told of.
    """
    after, events = dict(told), list[Event]()
    for one in sorted(snapshot.purchases, key=lambda one: (one.created_at, one.id)):
        if not one.is_paid:
            continue
        if one.id not in after:
            after[one.id] = 0
            events.append(_bought(one, account, now))
        payment = snapshot.payment(one.payment)
        refunded = snapshot.returned(payment) if payment else 0
        if refunded > after[one.id]:
            events.append(_refunded(one, account, now, before=after[one.id], refunded=refunded))
            after[one.id] = refunded
    return after, tuple(events)


def share(granted: int, *, refunded_minor: int, amount_minor: int) -> int:
    """How much of what was granted a refund takes back, rounded down; all of it when all is refunded."""
    return granted * refunded_minor // amount_minor


def _bought(one: Purchase, account: str, now: datetime) -> PackBought:
    return PackBought(
        account=account,
        key=_bought_key(one),
        at=now,
        purchase=one.id,
        pack_key=one.pack,
        grants=one.grants,
        amount_minor=one.amount_minor,
        currency=one.currency,
    )


def _refunded(one: Purchase, account: str, now: datetime, *, before: int, refunded: int) -> PackRefunded:
    def taken(granted: int) -> int:
        # The difference of two sums, so that many small refunds take back what one large one does.
        return share(granted, refunded_minor=refunded, amount_minor=one.amount_minor) - share(
            granted, refunded_minor=before, amount_minor=one.amount_minor
        )

    return PackRefunded(
        account=account,
        key=f"refunded:{one.id}:{refunded}",
        at=now,
        purchase=one.id,
        bought_key=_bought_key(one),
        pack_key=one.pack,
        grants={name: taken(granted) for name, granted in one.grants.items()},
        amount_minor=refunded - before,
        currency=one.currency,
        is_full=refunded >= one.amount_minor,
    )


def _bought_key(one: Purchase) -> str:
    return f"bought:{one.id}"
