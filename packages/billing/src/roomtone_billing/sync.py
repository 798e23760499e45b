"""The fenced sync: ticket, fetch, one snapshot. What the host is told of is written in the same transaction.

A ticket is drawn in the database *before* the fetch, and a snapshot is written only while its ticket is the newest drawn. So of two
fetches the later drawn decides, every written snapshot was fetched after the one before it was written, and nothing ever goes back in
time. What arrives after a ticket was drawn changes the account's mark, and leaves the account dirty for another fetch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, or_, select, update
from sqlalchemy.orm import Session

from . import announce, history, inbox, notices, outbox, snapshot
from .access import Access, Cause, GracePolicy, Phase, Suspension, Trial, check_at, decide
from .errors import GatewayError
from .events import NoticeDue, PhaseChanged
from .gateway import Gateway
from .models import AccountRow, InboxRow
from .notices import NoticePolicy
from .plans import Catalogue, Interval
from .snapshot import Snapshot
from .transactions import RetryPolicy, writing

# A worker that says nothing for so long is taken for dead; if it is not, the fence stops it.
LEASE = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What the host decided: the same for every account. `usage_of` and `seats_of` count what an account uses, by its key."""

    catalogue: Catalogue
    grace: GracePolicy
    retry: RetryPolicy
    usage_of: Callable[[str], Mapping[str, int]] | None = None
    seats_of: Callable[[str], int] | None = None
    notices: NoticePolicy | None = None
    written: Callable[[str], None] = lambda _: None  # told of each account whose new truth is committed


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """The right to write what is fetched from now on; `mark` is what the fetch is sure to cover."""

    account: str
    customer: str
    number: int
    mark: int


def draw(engine: Engine, account: str, *, now: datetime) -> Ticket | None:
    """A ticket for that account, whoever else holds one; None when it has no customer."""
    return _draw(engine, AccountRow.account == account, now=now)


def draw_next(engine: Engine, *, now: datetime) -> Ticket | None:
    """A ticket for the dirty account that waits longest and that no worker is busy with; None when there is none."""
    waiting = (
        select(AccountRow.account)
        .where(
            AccountRow.is_dirty,
            or_(AccountRow.retry_at.is_(None), AccountRow.retry_at <= now),
            or_(AccountRow.leased_until.is_(None), AccountRow.leased_until <= now),
        )
        .order_by(AccountRow.retry_at.asc().nulls_first(), AccountRow.synced_at.asc().nulls_first(), AccountRow.account)
        .limit(1)
    )
    with Session(engine) as session:
        if session.scalar(waiting) is None:
            return None
    free = waiting.with_for_update(skip_locked=True).scalar_subquery()
    return _draw(engine, AccountRow.account == free, now=now)


def _draw(engine: Engine, which: ColumnElement[bool], *, now: datetime) -> Ticket | None:
    with writing(engine) as session:
        drawn = session.execute(
            update(AccountRow)
            .where(which, AccountRow.customer.is_not(None))
            # Dirty until written: a process that dies while fetching leaves the work to the next.
            .values(ticket=AccountRow.ticket + 1, is_dirty=True, leased_until=now + LEASE)
            .returning(AccountRow.account, AccountRow.customer, AccountRow.ticket, AccountRow.mark)
        ).first()
    if drawn is None:
        return None
    account, customer, number, mark = drawn
    assert customer is not None
    return Ticket(account=account, customer=customer, number=number, mark=mark)


def fetch_and_write(engine: Engine, gateway: Gateway, ticket: Ticket, *, rules: Rules, now: datetime) -> bool:
    """Fetch the truth and write it; False when a newer ticket has been drawn meanwhile.

    Raises:
        GatewayError: the fetch failed; the failure is recorded, and the account stays dirty until its attempts are used up.
    """
    try:
        truth = gateway.fetch(ticket.customer)
    except GatewayError as error:
        fail(engine, ticket, error, retry=rules.retry, now=now)
        raise
    return write(engine, ticket, truth, rules=rules, now=now)


Witness = Callable[[Session, AccountRow, Snapshot], object]


def write(engine: Engine, ticket: Ticket, truth: Snapshot, *, rules: Rules, now: datetime, witness: Witness | None = None) -> bool:
    """Write what was fetched under the ticket, and what it announces, in one transaction; False when the ticket is not the newest.

    Args:
        witness: sees the row as it was and the truth that takes its place, in that transaction.
    """
    with writing(engine) as session:
        row = session.get_one(AccountRow, ticket.account, with_for_update=True)
        if row.ticket != ticket.number:
            return False
        before = snapshot.from_json(row.snapshot) if row.snapshot else None
        if truth.is_deleted:
            truth = truth.after_deletion(before.subscriptions if before else (), now)
        if witness is not None:
            witness(session, row, truth)
        told = announce.from_json(row.announced) if row.announced else announce.Announced()
        told, events = announce.announce(told, truth, account=row.account, catalogue=rules.catalogue, now=now)
        outbox.write(session, events, now=now)
        history.note_truth(session, row.account, before, truth, now=now)
        row.snapshot, row.announced, row.synced_at = snapshot.to_json(truth), announce.to_json(told), now
        row.is_dirty = row.mark != ticket.mark
        row.leased_until, row.retry_at, row.attempts, row.error = None, None, 0, None
        settle_phase(session, row, rules=rules, now=now)
        session.execute(
            update(InboxRow)
            .where(InboxRow.account == ticket.account, InboxRow.state == inbox.State.marked, InboxRow.mark <= ticket.mark)
            .values(state=inbox.State.done, error=None)
        )
    rules.written(ticket.account)
    return True


def fail(engine: Engine, ticket: Ticket, error: Exception, *, retry: RetryPolicy, now: datetime) -> None:
    """Record that a fetch failed: try again later, or put the account's events aside for a person."""
    reason = f"{type(error).__name__}: {error}"
    with writing(engine) as session:
        row = session.get_one(AccountRow, ticket.account, with_for_update=True)
        if row.ticket != ticket.number:
            return
        row.attempts, row.error, row.leased_until = row.attempts + 1, reason, None
        row.retry_at = retry.after(row.attempts, now)
        row.is_dirty = row.retry_at is not None
        values = {"attempts": row.attempts, "error": reason} | ({} if row.is_dirty else {"state": inbox.State.dead})
        session.execute(update(InboxRow).where(InboxRow.account == ticket.account, InboxRow.state == inbox.State.marked).values(values))


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
    truth = snapshot.from_json(row.snapshot) if row.snapshot else None
    suspension = None
    if row.suspended_at and row.suspended_cause:
        suspension = Suspension(cause=Cause(row.suspended_cause), reason=row.suspended_reason or "", at=row.suspended_at)
    return decide(
        row.account, trial=trial_of(row), snapshot=truth, catalogue=rules.catalogue, policy=rules.grace, now=now, suspension=suspension
    )


def trial_of(row: AccountRow) -> Trial | None:
    """The local trial of a row's account, also one that is over."""
    if not (row.trial_plan and row.trial_interval and row.trial_started_at and row.trial_until):
        return None
    return Trial(plan_key=row.trial_plan, interval=Interval(row.trial_interval), started_at=row.trial_started_at, until=row.trial_until)
