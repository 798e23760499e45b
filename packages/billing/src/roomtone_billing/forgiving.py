"""Letting a dispute hold back nothing of an account any more."""

from __future__ import annotations

from . import lifecycle
from .access import Access
from .desk import Desk
from .dispute import Dispute
from .errors import UnknownDispute


def listed(desk: Desk) -> list[Dispute]:
    """The disputes of the last snapshot, newest first."""
    truth = desk.truth()
    return sorted(truth.disputes, key=lambda one: (one.created_at, one.id), reverse=True) if truth else []


def forgive(desk: Desk, dispute: str, *, reason: str) -> Access:
    """As `Account.forgive_dispute` says."""
    desk.known_customer()
    desk.sync()
    found = next((one for one in listed(desk) if one.id == dispute), None)
    truth = desk.truth()
    payment = truth.payment(found.payment) if truth and found else None
    if found is None or payment is None:
        raise UnknownDispute(desk.account, dispute)
    if found.forgiven_at is None:
        desk.gateway.forgive_charge(payment.charge or payment.id, at=desk.clock())
        lifecycle.note(desk, "forgive_dispute", reason=reason, dispute=dispute, state=found.state)
    return desk.sync()
