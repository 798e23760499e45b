"""Reconciliation: all subscriptions are listed, a hundred a call, and accounts that are not as listed are fetched again and repaired.

The list only raises suspicion. What differed is told of the stored snapshot and the one fetched under a ticket, in the transaction that
writes it, so a webhook that comes meanwhile is neither undone nor reported as a mistake.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from . import cursors, drift, snapshot, sync
from .drift import Difference
from .errors import GatewayError, GatewayRefused
from .fence import Ticket
from .gateway import Gateway
from .gateway.lists import ListedSubscription, SubscriptionPage
from .models import AccountRow, DriftRow
from .pace import Pace
from .snapshot import Invoice, Snapshot, Subscription
from .transactions import writing

CURSOR = "reconcile"
# What one fetch of a customer costs at the least.
_CALLS_OF_A_FETCH = 5
# A fetch holds so many subscriptions of a customer; older ones it cannot know.
_HELD_MAX = 100


@dataclass(frozen=True, kw_only=True)
class Drift:
    """An account that was not as at Stripe, and was repaired; `customer` is its customer, or its connected account, at Stripe.

    `since` is when the stored state was last known to be true, None if never; `ticket` is the fetch that repaired it.
    """

    account: str
    customer: str
    found_at: datetime
    since: datetime | None
    ticket: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True, kw_only=True)
class Reconciliation:
    """What a run did: `listed` subscriptions in `calls` calls to Stripe, `foreign` of them of no account here.

    `failed` accounts could not be fetched; the worker tries them again. `is_complete` is False when the run stopped at its bound; the
    next goes on from there.
    """

    listed: int
    foreign: int
    calls: int
    drifts: tuple[Drift, ...]
    failed: tuple[str, ...]
    is_complete: bool


def run(engine: Engine, gateway: Gateway, *, rules: sync.Rules, now: datetime, pages_max: int, pace: Pace) -> Reconciliation:
    """Go on where the last run stopped, at most `pages_max` pages of a hundred subscriptions.

    Raises:
        GatewayError: the list could not be had; the next run goes on.
    """
    place = cursors.find(engine, CURSOR)
    under_way = _Run(engine, gateway, rules=rules, now=now, pace=pace)
    try:
        return under_way.go(place, pages_max)
    except GatewayRefused as error:
        if error.code != "resource_missing" or not place:
            raise
        # The subscription we stood at is gone from the list.
        return under_way.go({}, pages_max)


def newest(session: Session, *, limit: int) -> list[Drift]:
    """The drifts found last, newest first."""
    return [
        Drift(
            account=row.account,
            customer=row.customer,
            found_at=row.found_at,
            since=row.since,
            ticket=row.ticket,
            differences=tuple(Difference(**one) for one in row.differences["fields"]),
        )
        for row in session.scalars(select(DriftRow).order_by(DriftRow.id.desc()).limit(limit))
    ]


class _Run:
    def __init__(self, engine: Engine, gateway: Gateway, *, rules: sync.Rules, now: datetime, pace: Pace) -> None:
        self.engine, self.gateway, self.rules, self.now, self.pace = engine, gateway, rules, now, pace
        self.listed = self.foreign = 0
        self.drifts: list[Drift] = []
        self.failed: list[str] = []

    def go(self, place: dict[str, str], pages_max: int) -> Reconciliation:
        expected = _Expected(self.engine, datetime.fromisoformat(place["created_at"]) if place else self.now)
        after, has_more = place.get("after"), True
        while has_more and pages_max:
            pages_max -= 1
            self.pace.wait()
            page = self.gateway.subscriptions(after=after)
            suspects = self._suspects(page) | expected.absent_from(page)
            for account in sorted(suspects):
                self._repair(account)
            has_more = page.has_more
            if has_more:
                last = page.subscriptions[-1].subscription
                after = last.id
                cursors.move(self.engine, CURSOR, {"after": last.id, "created_at": last.created_at.isoformat()}, now=self.now)
        if not has_more and (place or after):
            cursors.forget(self.engine, CURSOR)
        return Reconciliation(
            listed=self.listed,
            foreign=self.foreign,
            calls=self.pace.calls,
            drifts=tuple(self.drifts),
            failed=tuple(self.failed),
            is_complete=not has_more,
        )

    def _suspects(self, page: SubscriptionPage) -> set[str]:
        customers: dict[str, list[ListedSubscription]] = {}
        for one in page.subscriptions:
            customers.setdefault(one.customer, []).append(one)
        with Session(self.engine) as session:
            found = session.execute(
                select(AccountRow.customer, AccountRow.account, AccountRow.snapshot).where(AccountRow.customer.in_(customers))
            )
            known = {customer: (account, stored) for customer, account, stored in found}
        suspects = set()
        for customer, listed in customers.items():
            self.listed += len(listed)
            if customer in known:
                account, stored = known[customer]
                suspects |= set() if stored and _agree(snapshot.from_json(stored), listed) else {account}
            elif adopted := self._adopt(listed[0]):
                suspects.add(adopted)
            else:
                self.foreign += len(listed)
        return suspects

    def _adopt(self, listed: ListedSubscription) -> str | None:
        """The account whose customer it is though it was never written down; None for somebody else's."""
        if listed.account is None:
            return None
        with writing(self.engine) as session:
            row = session.get(AccountRow, listed.account, with_for_update=True)
            if row is None or row.token != listed.token or row.customer is not None:
                return None
            row.customer = listed.customer
            return row.account

    def _repair(self, account: str) -> None:
        ticket = sync.CUSTOMERS.draw(self.engine, account, now=self.now)
        if ticket is None:
            return
        self.pace.wait(_CALLS_OF_A_FETCH)
        found: list[Drift] = []

        def witness(session: Session, row: AccountRow, after: Snapshot) -> None:
            found.extend(_note(session, row, after, ticket, self.now))

        try:
            is_written = sync.fetch_and_write(self.engine, self.gateway, ticket, rules=self.rules, now=self.now, witness=witness)
        except GatewayError:
            self.failed.append(account)  # recorded with the account; the worker tries again
            return
        if is_written:
            self.drifts += found


class _Expected:
    """The living subscriptions that are stored: each must be on the page of its time. One small entry for each is held in memory."""

    def __init__(self, engine: Engine, until: datetime) -> None:
        self._seen: set[str] = set()
        waiting: list[tuple[datetime, str, str]] = []
        rows = select(AccountRow.account, AccountRow.snapshot).where(AccountRow.customer.is_not(None), AccountRow.snapshot.is_not(None))
        with Session(engine) as session:
            for account, stored in session.execute(rows.execution_options(yield_per=1000)):
                for one in (stored or {}).get("subscriptions", ()):
                    created_at = datetime.fromisoformat(one["created_at"])
                    if one["ended_at"] is None and one["status"] != "incomplete_expired" and created_at <= until:
                        waiting.append((created_at, one["id"], account))
        self._waiting = deque(sorted(waiting, reverse=True))

    def absent_from(self, page: SubscriptionPage) -> set[str]:
        """The accounts with a subscription that the page, or one before it, should have had."""
        self._seen |= {one.subscription.id for one in page.subscriptions}
        oldest = page.subscriptions[-1].subscription.created_at if page.has_more else None
        absent = set()
        while self._waiting and (oldest is None or self._waiting[0][0] > oldest):
            _, subscription, account = self._waiting.popleft()
            if subscription not in self._seen:
                absent.add(account)
        return absent


def _agree(stored: Snapshot, listed: Sequence[ListedSubscription]) -> bool:
    is_full = len(stored.subscriptions) >= _HELD_MAX
    invoices = {one.id: one for one in stored.invoices}
    for one in listed:
        ours = stored.subscription(one.subscription.id)
        if ours is None and is_full and one.subscription.ended_at:
            continue
        theirs = one.invoice
        if ours is None or not _is_same(ours, one.subscription):
            return False
        if theirs and len(invoices) < _HELD_MAX and (theirs.id not in invoices or not _is_same(invoices[theirs.id], theirs)):
            return False
    return True


def _is_same(ours: Subscription | Invoice, theirs: Subscription | Invoice) -> bool:
    return _comparable(ours) == _comparable(theirs)


def _comparable(one: Subscription | Invoice) -> dict[str, object]:
    """What a list shows of it: a price that only a schedule names is an id there, and no list says what a bank wants."""
    fields = {name: value for name, value in asdict(one).items() if name not in drift.UNIMPORTANT | {"needs_action"}}
    if isinstance(one, Subscription) and one.scheduled:
        fields["scheduled"] = (one.scheduled.at, one.scheduled.price.id, one.scheduled.quantity)
    return fields


def _note(session: Session, row: AccountRow, after: Snapshot, ticket: Ticket, now: datetime) -> Iterable[Drift]:
    """Write down what differs, if anything does."""
    found = drift.differences(snapshot.from_json(row.snapshot) if row.snapshot else None, after)
    if not found:
        return
    fields = {"fields": [asdict(one) for one in found]}
    noted = {"account": row.account, "customer": after.customer, "found_at": now, "since": row.synced_at, "ticket": ticket.number}
    session.add(DriftRow(**noted, differences=fields))
    yield Drift(**noted, differences=found)  # type: ignore[arg-type]  # one dictionary for both
