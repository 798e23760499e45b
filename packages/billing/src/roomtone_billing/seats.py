"""Seats: the quantity of the item that decides the plan, which follows an account's members."""

from __future__ import annotations

import uuid

from . import lifecycle
from .desk import Desk
from .errors import ChangeInProgress, ChangeRefused, LimitsExceeded
from .gateway import Wanted
from .obstacle import Obstacle
from .preview import SEATS
from .snapshot import Status, Subscription

# Of many who join at once each sets what it counts and counts again; a tenth disagreement is no race any more.
_ROUNDS_MAX = 10


def set_seats(desk: Desk, seats: int) -> None:
    """As `Account.set_seats` says."""
    if seats < 1:
        raise ValueError(f"{seats} seats are too few; an account has at least one")
    used = desk.rules.seats_of(desk.account) if desk.rules.seats_of else 0
    if used > seats:
        raise LimitsExceeded(desk.account, SEATS, (Obstacle(limit=SEATS, used=used, allowed=seats),))
    _set(desk, seats)


def follow(desk: Desk) -> int | None:
    """As `Account.follow_seats` says."""
    count = desk.rules.seats_of
    if count is None:
        raise ChangeRefused(desk.account, "nobody said how many members it has; pass Billing(seats_of=...)")
    truth = desk.truth()
    main = truth.main() if truth else None
    if main is None or main.status in {Status.canceled, Status.unpaid} or main.quantity is None:
        return None
    for _ in range(_ROUNDS_MAX):
        members = max(count(desk.account), 1)
        if not _agrees(main, members):
            _set(desk, members)
        # Counted again after it was set: whoever sets last leaves a number that was true when it was set, or sets it once more.
        if max(count(desk.account), 1) == members:
            return members
        main = lifecycle.living(desk)
    raise ChangeInProgress(desk.account)


def _set(desk: Desk, seats: int) -> None:
    found = lifecycle.living(desk)
    if _agrees(found, seats):
        return
    if found.quantity is None or found.item is None:
        raise ChangeRefused(desk.account, "its price is counted by a meter, not by seats")
    wanted = Wanted(subscription=found.id, item=found.item, price=found.price.id, quantity=seats)
    desk.gateway.set_quantity(wanted, key=f"seats-{uuid.uuid4().hex}")
    planned = found.scheduled
    if planned is not None and planned.price.interval is not None:
        later = Wanted(subscription=found.id, item=found.item, price=planned.price.id, quantity=seats)
        desk.gateway.change_later(
            later,
            interval=planned.price.interval,
            schedule=planned.schedule,
            discounts=[one.id for one in found.discounts],
            key=f"seats-{uuid.uuid4().hex}",
        )
    lifecycle.note(desk, "set_seats", before=found.quantity, seats=seats)
    desk.sync()


def _agrees(found: Subscription, seats: int) -> bool:
    return found.quantity == seats and (found.scheduled is None or found.scheduled.quantity == seats)
