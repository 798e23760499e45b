"""The truth about a customer: fetched behind the fence, one snapshot, and what the host is told of it in the same transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from . import announce, history, notices, outbox, snapshot
from .access import Access, Cause, GracePolicy, Phase, Suspension, Trial, check_at, decide
from .events import NoticeDue, PhaseChanged
from .fence import Fence, Ticket
from .gateway import Gateway
from .inbox import State
from .models import AccountRow, InboxRow
from .notices import NoticePolicy
from .plans import Catalogue, Interval
from .snapshot import Snapshot
from .transactions import RetryPolicy


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What the host decided: the same for every account. `usage_of` and `seats_of` count what an account uses, by its key."""

    catalogue: Catalogue
    grace: GracePolicy
    retry: RetryPolicy
    usage_of: Callable[[str], Mapping[str, int]] | None = None
    seats_of: Callable[[str], int] | None = None
    notices: NoticePolicy | None = None
    automatic_tax: bool = False
    written: Callable[[str], None] = lambda _: None  # told of each account whose new truth is committed


Witness = Callable[[Session, AccountRow, Snapshot], object]

CUSTOMERS = Fence(
    row=AccountRow,
    stripe_id=AccountRow.customer,
    named=InboxRow.customer,
    new=State.pending,
    waiting=State.marked,
    unknown=State.stranger,
)


def fetch_and_write(
    engine: Engine, gateway: Gateway, ticket: Ticket, *, rules: Rules, now: datetime, witness: Witness | None = None
) -> bool:
    """Fetch the truth and write it; False when a newer ticket has been drawn meanwhile.

    Raises:
        GatewayError: the fetch failed; the failure is recorded, and the account stays dirty until its attempts are used up.
    """
    with CUSTOMERS.asking(engine, ticket, retry=rules.retry, now=now):
        truth = gateway.fetch(ticket.stripe_id)
    return write(engine, ticket, truth, rules=rules, now=now, witness=witness)


def write(engine: Engine, ticket: Ticket, truth: Snapshot, *, rules: Rules, now: datetime, witness: Witness | None = None) -> bool:
    """Write what was fetched under the ticket, and what it announces, in one transaction; False when the ticket is not the newest.

    Args:
        witness: sees the row as it was and the truth that takes its place, in that transaction.
    """

    def put(session: Session, row: AccountRow) -> bool:
        before = snapshot.from_json(row.snapshot) if row.snapshot else None
        after = truth.after_deletion(before.subscriptions if before else (), now) if truth.is_deleted else truth
        if witness is not None:
            witness(session, row, after)
        told = announce.from_json(row.announced) if row.announced else announce.Announced()
        told, events = announce.announce(told, after, account=row.account, catalogue=rules.catalogue, now=now)
        outbox.write(session, events, now=now)
        history.note_truth(session, row.account, before, after, now=now)
        row.snapshot, row.announced = snapshot.to_json(after), announce.to_json(told)
        settle_phase(session, row, rules=rules, now=now)
        return True

    is_written = CUSTOMERS.write(engine, ticket, put, now=now)
    if is_written:
        rules.written(ticket.account)
    return is_written


def settle_phase(session: Session, row: AccountRow, *, rules: Rules, now: datetime) -> bool:
    """Announce the phase if it is another than last time, and a notice that is due; returns whether the phase changed.

    Effects:
        Notes when to look again.
    """
    access = access_of(row, rules=rules, now=now)
    truth = snapshot.from_json(row.snapshot) if row.snapshot else None
    has_changed = _announce_phase(session, row, access, now=now)
    row.check_at = check_at(access, truth, now)
    if rules.notices is not None:
        _notify(session, row, access, truth, rules.notices, now=now)
    return has_changed


def _notify(session: Session, row: AccountRow, access: Access, truth: Snapshot | None, policy: NoticePolicy, *, now: datetime) -> None:
    """Write the notice that is due, once, and look again when the next one is."""
    later = notices.next_at(access, policy, now)
    if later is not None:
        row.check_at = min(later, row.check_at or later)
    day = notices.due(access, policy, now)
    if day is None:
        return
    main = truth.main() if truth else None
    invoice = truth.latest_invoice(main) if truth and main else None
    notice = NoticeDue(
        account=row.account,
        # The number of the phase, and not its start: that may move by a second when Stripe's clock is ahead of ours.
        key=f"notice:{row.account}:{row.phase_changes}:{access.phase}:{access.cause}:{day}",
        at=now,
        phase=access.phase,
        cause=access.cause,
        day=day,
        until=access.until,
        url=invoice.hosted_url if invoice and invoice.is_unpaid else None,
    )
    outbox.write(session, [notice], now=now)


def _announce_phase(session: Session, row: AccountRow, access: Access, *, now: datetime) -> bool:
    before = Phase(row.phase)
    if access.phase is before:
        return False
    row.phase, row.phase_changes = access.phase, row.phase_changes + 1
    key = f"phase:{row.account}:{row.phase_changes}"
    changed = PhaseChanged(account=row.account, key=key, at=now, before=before, after=access.phase, cause=access.cause, until=access.until)
    outbox.write(session, [changed], now=now)
    return True


def access_of(row: AccountRow, *, rules: Rules, now: datetime) -> Access:
    """The access of a row's account."""
    return decide(
        row.account,
        trial=trial_of(row),
        snapshot=snapshot.from_json(row.snapshot) if row.snapshot else None,
        catalogue=rules.catalogue,
        policy=rules.grace,
        now=now,
        suspension=suspension_of(row),
    )


def suspension_of(row: AccountRow) -> Suspension | None:
    """What somebody decided about a row's account, while it stands."""
    if not (row.suspended_at and row.suspended_cause):
        return None
    return Suspension(cause=Cause(row.suspended_cause), reason=row.suspended_reason or "", at=row.suspended_at)


def trial_of(row: AccountRow) -> Trial | None:
    """The local trial of a row's account, also one that is over."""
    if not (row.trial_plan and row.trial_interval and row.trial_started_at and row.trial_until):
        return None
    return Trial(plan_key=row.trial_plan, interval=Interval(row.trial_interval), started_at=row.trial_started_at, until=row.trial_until)
