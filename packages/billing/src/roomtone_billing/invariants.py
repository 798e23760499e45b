"""What must always hold between the rows, as queries: each finds the rows for which it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, false, func, or_, select
from sqlalchemy.orm import Session

from . import inbox, outbox, sync
from .models import AccountRow, ClientPaymentRow, ClosingRow, InboxRow, MeteredRow, OutboxRow, SellerRow

# How long a healthy worker may take for anything: an hour of pauses after failures, and a sweep.
PATIENCE = timedelta(hours=2)


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One row for which an invariant does not hold."""

    invariant: str
    subject: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What an invariant is tried on; at most `limit` violations each."""

    session: Session
    rules: sync.Rules
    now: datetime
    limit: int


Found = Iterator[tuple[str, str]]


def events_are_looked_at(scene: Scene) -> Found:
    """No event is pending for longer than a worker may take."""
    late = and_(InboxRow.state.in_([inbox.State.pending, inbox.State.connected]), InboxRow.received_at < scene.now - PATIENCE)
    for event, at in scene.session.execute(select(InboxRow.event_id, InboxRow.received_at).where(late).limit(scene.limit)):
        yield event, f"pending since {at:%Y-%m-%d %H:%M}; is a worker running?"


def marked_events_have_a_dirty_account(scene: Scene) -> Found:
    """An event that waits for a fetch belongs to an account, or connected account, that is to be fetched."""
    for row, state in ((AccountRow, inbox.State.marked), (SellerRow, inbox.State.connected)):
        orphans = (
            select(InboxRow.event_id, InboxRow.account)
            .outerjoin(row, row.account == InboxRow.account)
            .where(InboxRow.state == state, InboxRow.mark.is_not(None), or_(row.account.is_(None), row.is_dirty.is_(False)))
        )
        for event, account in scene.session.execute(orphans.limit(scene.limit)):
            yield event, f"waits for a fetch of {account}, which nobody will make; replay it"


def dirty_accounts_are_fetched(scene: Scene) -> Found:
    """No account, and no connected account, is dirty without a coming attempt, or under a lease that ran out long ago."""
    for row, is_nobody in ((AccountRow, AccountRow.customer.is_(None)), (SellerRow, false())):
        stuck = or_(
            and_(row.retry_at.is_not(None), row.retry_at < scene.now - PATIENCE),
            and_(row.leased_until.is_not(None), row.leased_until < scene.now - PATIENCE),
            is_nobody,
        )
        for account in scene.session.scalars(select(row.account).where(row.is_dirty, stuck).limit(scene.limit)):
            yield account, "is dirty and nobody fetches it; is a worker running?"


def snapshots_are_of_the_accounts_customer(scene: Scene) -> Found:
    """What is stored about an account is its own customer's."""
    rows = select(AccountRow.account, AccountRow.customer, AccountRow.snapshot).where(AccountRow.snapshot.is_not(None))
    found = 0
    for account, customer, stored in scene.session.execute(rows.execution_options(yield_per=1000)):
        if stored and stored["customer"] != customer and found < scene.limit:
            found += 1
            yield account, f"has a snapshot of {stored['customer']} and is {customer}; reconcile"


def phases_are_those_that_were_told(scene: Scene) -> Found:
    """Where no moment has passed unseen, the phase that follows from the facts is the one last announced."""
    found = 0
    settled = or_(AccountRow.check_at.is_(None), AccountRow.check_at > scene.now)
    for row in scene.session.scalars(select(AccountRow).where(settled).execution_options(yield_per=1000)):
        phase = sync.access_of(row, rules=scene.rules, now=scene.now).phase
        if phase != row.phase and found < scene.limit:
            found += 1
            yield row.account, f"is {phase} by its facts and was announced as {row.phase}; call `sync` for it"


def phase_changes_are_told_each(scene: Scene) -> Found:
    """As many changes of phase are in the outbox as were counted."""
    told = (
        select(OutboxRow.account, func.count().label("told")).where(OutboxRow.type == "PhaseChanged").group_by(OutboxRow.account).subquery()
    )
    counted = func.coalesce(told.c.told, 0)
    rows = select(AccountRow.account, AccountRow.phase_changes, counted).outerjoin(told, told.c.account == AccountRow.account)
    for account, changes, count in scene.session.execute(rows.where(AccountRow.phase_changes != counted).limit(scene.limit)):
        yield account, f"changed its phase {changes} times and {count} are in the outbox"


def sweeps_are_made(scene: Scene) -> Found:
    """No account waits for `sweep` for longer than it may take."""
    late = AccountRow.check_at < scene.now - PATIENCE
    for account, at in scene.session.execute(select(AccountRow.account, AccountRow.check_at).where(late).limit(scene.limit)):
        yield account, f"was to be looked at {at:%Y-%m-%d %H:%M}; is `sweep` called?"


def events_are_handed_out(scene: Scene) -> Found:
    """No domain event waits for longer than its handlers may take."""
    due_at = func.coalesce(OutboxRow.retry_at, OutboxRow.created_at)
    late = and_(OutboxRow.state == outbox.State.pending, due_at < scene.now - PATIENCE)
    for key, at in scene.session.execute(select(OutboxRow.key, OutboxRow.created_at).where(late).limit(scene.limit)):
        yield key, f"waits since {at:%Y-%m-%d %H:%M}; does the worker register the handlers?"


def client_payments_are_asked_about(scene: Scene) -> Found:
    """No client's payment waits to be asked about for longer than `sweep` may take."""
    late = ClientPaymentRow.check_at < scene.now - PATIENCE
    found = select(ClientPaymentRow.account, ClientPaymentRow.reference, ClientPaymentRow.check_at).where(late)
    for account, reference, at in scene.session.execute(found.limit(scene.limit)):
        yield f"{account}/{reference}", f"was to be asked about {at:%Y-%m-%d %H:%M}; is `sweep` called?"


def uses_are_reported(scene: Scene) -> Found:
    """No metered use of an account with a customer waits for longer than Stripe's meters may take."""
    due_at = func.coalesce(MeteredRow.retry_at, MeteredRow.created_at)
    late = and_(MeteredRow.state == inbox.State.pending, due_at < scene.now - PATIENCE, AccountRow.customer.is_not(None))
    found = select(MeteredRow.account, MeteredRow.meter, MeteredRow.key).join(AccountRow, AccountRow.account == MeteredRow.account)
    for account, meter, key in scene.session.execute(found.where(late).limit(scene.limit)):
        yield f"{account}/{meter}/{key}", "waits to be reported; is a worker running?"


def closings_are_made(scene: Scene) -> Found:
    """No account waits to be closed at Stripe for longer than a worker may take."""
    due_at = func.coalesce(ClosingRow.retry_at, ClosingRow.asked_at)
    late = and_(ClosingRow.closed_at.is_(None), due_at < scene.now - PATIENCE)
    for account, error in scene.session.execute(select(ClosingRow.account, ClosingRow.error).where(late).limit(scene.limit)):
        yield account, f"waits to be closed ({error or 'never tried'}); is a worker running?"


def nothing_is_dead(scene: Scene) -> Found:
    """Nothing was put aside for a person."""
    dead_events = select(InboxRow.event_id, InboxRow.error).where(InboxRow.state == inbox.State.dead)
    dead_told = select(OutboxRow.key, OutboxRow.error).where(OutboxRow.state == outbox.State.dead)
    dead_uses = select(MeteredRow.key, MeteredRow.error).where(MeteredRow.state == inbox.State.dead)
    for statement in (dead_events, dead_told, dead_uses):
        for subject, error in scene.session.execute(statement.limit(scene.limit)):
            yield subject, f"was put aside: {error}"


INVARIANTS: tuple[Callable[[Scene], Found], ...] = (
    events_are_looked_at,
    marked_events_have_a_dirty_account,
    dirty_accounts_are_fetched,
    snapshots_are_of_the_accounts_customer,
    phases_are_those_that_were_told,
    phase_changes_are_told_each,
    sweeps_are_made,
    events_are_handed_out,
    client_payments_are_asked_about,
    uses_are_reported,
    closings_are_made,
    nothing_is_dead,
)


def violations(scene: Scene) -> list[Violation]:
    """Try every invariant; empty when all hold."""
    return [
        Violation(invariant=invariant.__name__.replace("_", " "), subject=subject, detail=detail)
        for invariant in INVARIANTS
        for subject, detail in invariant(scene)
    ]
