"""The facade: one `Billing` per host, safe to share between threads."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy import Engine, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from . import closings, connect_sync, erasures, inbox, outbox, publishing, signature, sync, use
from .access import GracePolicy, Phase
from .account import Account
from .desk import Desk
from .errors import DuplicateHandler, GatewayError, MalformedEvent
from .events import Event, TrialStarted
from .facts_cache import FactsCache
from .fence import Ticket
from .gateway import Gateway
from .inbox import InboxView, Receipt
from .metering import Metering
from .models import AccountRow
from .notices import NoticePolicy
from .outbox import Handler, OutboxView
from .plans import Catalogue, Interval
from .publication import Change
from .transactions import Clock, RetryPolicy, writing
from .upkeep import Upkeep

E = TypeVar("E", bound=Event)
# Accounts whose facts are remembered; a few kilobytes each.
_FACTS_MAX = 10_000


def utc_now() -> datetime:
    """The time, aware, in UTC."""
    return datetime.now(UTC)


class Billing:
    """Subscriptions of opaque accounts, kept true to Stripe.

    Args:
        engine: the control database, PostgreSQL or SQLite; `schema.upgrade(engine)` makes the tables.
        catalogue: what is sold.
        gateway: `StripeGateway`; in tests with the offline Stripe's `http_client`.
        grace: how long accounts that owe keep what.
        clock: the time, aware; all deadlines follow it.
        retry: how often failed fetches and handlers are tried again.
        entitlements_ttl: how long what another process wrote may go unseen by `check`; 0 asks the database each time.
        signature_tolerance_s: how far a webhook's time may be from the clock's, either way.
        usage_of: how much an account uses of the catalogue's limits, by name; a smaller plan is refused while it uses more.
        seats_of: how many members an account has; its seats follow (`Account.follow_seats`) and never go below.
        notices: on which days of a phase `NoticeDue` is announced.
        automatic_tax: let Stripe add taxes to what is sold from now on; needs registrations there, and each account's country.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        catalogue: Catalogue,
        gateway: Gateway,
        grace: GracePolicy | None = None,
        clock: Clock = utc_now,
        retry: RetryPolicy | None = None,
        signature_tolerance_s: int = 300,
        usage_of: Callable[[str], Mapping[str, int]] | None = None,
        seats_of: Callable[[str], int] | None = None,
        notices: NoticePolicy | None = None,
        automatic_tax: bool = False,
        entitlements_ttl: timedelta = timedelta(seconds=5),
    ) -> None:
        self.catalogue = catalogue
        self._engine, self._gateway, self._clock = engine, gateway, clock
        self._retry = retry or RetryPolicy()
        self._facts = FactsCache(size_max=_FACTS_MAX, ttl=entitlements_ttl)
        self._rules = sync.Rules(
            catalogue=catalogue,
            grace=grace or GracePolicy(),
            retry=self._retry,
            written=self._facts.forget,
            usage_of=usage_of,
            seats_of=seats_of,
            notices=notices or NoticePolicy(),
            automatic_tax=automatic_tax,
        )
        self._tolerance_s = signature_tolerance_s
        self._handlers: dict[str, dict[str, Handler]] = {}

    def account(self, account: str) -> Account:
        """The billing of one account; costs nothing."""
        return Account(self._desk(account))

    def _desk(self, account: str) -> Desk:
        return Desk(account=account, engine=self._engine, gateway=self._gateway, rules=self._rules, clock=self._clock, facts=self._facts)

    @property
    def metering(self) -> Metering:
        """Use that is paid for by the unit, on its way to Stripe's meters."""
        return Metering(engine=self._engine, gateway=self._gateway, catalogue=self.catalogue, retry=self._retry, clock=self._clock)

    @property
    def engine(self) -> Engine:
        """The control database it was made with."""
        return self._engine

    @property
    def clock(self) -> Clock:
        """The clock it was made with."""
        return self._clock

    @property
    def upkeep(self) -> Upkeep:
        """Replay, back-fill, reconciliation, doctor and figures, for whoever operates it; costs nothing."""
        return Upkeep(engine=self._engine, gateway=self._gateway, rules=self._rules, clock=self._clock, drift=self.publication)

    def open_account(self, session: Session, account: str, *, email: str, name: str) -> bool:
        """Make the account known, without a trial; returns False if it was. Flushes into the caller's transaction.

        Args:
            account: opaque key of the host's, at most 200 characters.
            email, name: given to Stripe with the account's customer.
        """
        insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
        statement = insert(AccountRow).values(
            account=account,
            token=uuid.uuid4().hex,
            email=email,
            name=name,
            created_at=self._clock(),
            phase=Phase.none,
            phase_changes=0,
            is_dirty=False,
            mark=0,
            ticket=0,
            attempts=0,
        )
        return session.execute(statement.on_conflict_do_nothing().returning(AccountRow.account)).first() is not None

    def start_trial(self, session: Session, account: str, *, plan: str, interval: Interval, email: str, name: str) -> bool:
        """Start the account's one trial, known to us only; returns False if the account was known and nothing was done.

        Effects:
            Flushes the account and `TrialStarted` into the caller's transaction. A plan with `trial_days` 0 only opens the account.
        Raises:
            UnknownPlan, UnknownPrice, NotOnSale: the catalogue does not sell it.
        """
        chosen = self.catalogue.plan_on_sale(plan)
        chosen.price(interval)
        if not self.open_account(session, account, email=email, name=name):
            return False
        if not chosen.trial_days:
            return True
        now = self._clock()
        row = session.get_one(AccountRow, account)
        row.trial_plan, row.trial_interval = plan, interval
        row.trial_started_at, row.trial_until = now, now + timedelta(days=chosen.trial_days)
        row.phase = Phase.trialing
        sync.settle_phase(session, row, rules=self._rules, now=now)
        session.flush()
        until = row.trial_until
        started = TrialStarted(account=account, key=f"trial:{account}", at=now, plan_key=plan, interval=Interval(interval), until=until)
        outbox.write(session, [started], now=now)
        return True

    def close_account(self, session: Session, account: str, *, deletes_customer: bool = False) -> bool:
        """Close the account in the transaction that deletes it at yours; returns False if that was asked before. Flushes.

        From then on it buys nothing more. `work` expires its open pages, cancels its subscriptions at once and without a refund, and
        tries again until Stripe confirms; `AccountClosed` says that it has. Rows stay: invoices must be kept by law.

        Args:
            deletes_customer: delete the customer with its cards at Stripe, too; its invoices stay there.
        """
        return closings.ask(session, account, deletes_customer=deletes_customer, now=self._clock())

    def erase_account(self, session: Session, account: str) -> bool:
        """Erase what is personal of a closed account, here and at Stripe; returns False if that was asked before. Flushes.

        `work` deletes the customer with its cards at Stripe, then names, addresses, texts and pages here, and tries again until both
        are done; `AccountErased` says so. Kept are invoices at Stripe, as the law wants, and here what was bought, paid and given back.

        Raises:
            UnknownAccount: billing has never heard of it.
            NotClosed: call `close_account`, and this when `AccountClosed` has come.
        """
        return erasures.ask(session, account, now=self._clock())

    def receive(self, payload: bytes, signature_header: str | None) -> Receipt:
        """Verify a webhook and store its event once; the caller answers 200 and lets `work` run.

        Args:
            payload: the raw body, at most 256 KiB.
            signature_header: the `Stripe-Signature` header.
        Raises:
            BadSignature, MalformedEvent: answer 400. Nothing else is raised for any input.
        """
        if len(payload) > inbox.PAYLOAD_BYTES_MAX:
            raise MalformedEvent(f"the body is longer than {inbox.PAYLOAD_BYTES_MAX} bytes")
        now = self._clock()
        signature.verify(payload, signature_header, secrets=self._gateway.webhook_secrets, now=now, tolerance_s=self._tolerance_s)
        return inbox.store(self._engine, payload, livemode=self._gateway.livemode, now=now)

    def work(self, limit: int = 100) -> int:
        """Turn stored events into snapshots, domain events and effects; returns how many steps were done, 0 when nothing is due.

        Any number of processes may call it at once, and any may be killed anywhere. At most `limit` steps of each kind are done; a
        failing fetch or handler is recorded and tried again later. Every process that calls it must register the same handlers.
        """
        done = sync.CUSTOMERS.route(self._engine, limit=limit)
        if adopted := inbox.adopt(self._engine, self._gateway, retry=self._retry, now=self._clock(), limit=limit):
            done += adopted + sync.CUSTOMERS.route(self._engine, limit=limit)
        done += sync.CUSTOMERS.work(self._engine, self._fetch, retry=self._retry, clock=self._clock, limit=limit)
        done += self.metering.send(limit)
        done += connect_sync.work(self._engine, self._gateway, retry=self._retry, clock=self._clock, limit=limit)
        done += closings.work(self._engine, self._desk, retry=self._retry, now=self._clock(), limit=limit)
        done += erasures.work(self._engine, self._desk, retry=self._retry, now=self._clock(), limit=limit)
        if self._handlers:
            done += outbox.dispatch(self._engine, self._handlers, retry=self._retry, now=self._clock(), limit=limit)
        return done

    def _fetch(self, ticket: Ticket) -> bool:
        return sync.fetch_and_write(self._engine, self._gateway, ticket, rules=self._rules, now=self._clock())

    def sweep(self, limit: int = 1000) -> int:
        """Announce the phases that time alone has changed, at most `limit` accounts; returns how many changed.

        An account with a customer is fetched first, so that no one is suspended on old news; if Stripe cannot be asked, the last news
        decides. Also fetches accounts whose renewal should have been heard of: a lost webhook costs an hour at most.
        """
        now = self._clock()
        with Session(self._engine) as session:
            found = select(AccountRow.account).where(AccountRow.check_at <= now).order_by(AccountRow.check_at).limit(limit)
            due = session.scalars(found).all()
        connect_sync.mark_overdue(self._engine, now=now, limit=limit)
        use.forget_old(self._engine, now=now, limit=limit)
        erasures.scrub_late(self._engine, now=now, limit=limit)
        return sum(self._check(account, now) for account in due)

    def _check(self, account: str, now: datetime) -> bool:
        with Session(self._engine) as session:
            before = session.scalar(select(AccountRow.phase).where(AccountRow.account == account))
        ticket = sync.CUSTOMERS.draw(self._engine, account, now=now)
        if ticket is not None:
            with suppress(GatewayError):  # recorded with the account; what is known decides below
                self._fetch(ticket)
        with writing(self._engine) as session:
            row = session.get_one(AccountRow, account, with_for_update=True)
            if row.check_at is not None and row.check_at <= now:
                sync.settle_phase(session, row, rules=self._rules, now=now)
            return row.phase != before

    def on(self, event: type[E], *, name: str | None = None) -> Callable[[Callable[[Session, E], None]], Callable[[Session, E], None]]:
        """Register a handler: `billing.on(PlanChanged)(handler)`, or as a decorator.

        The handler's `session` is in the transaction that marks the event as handled by it, so what it writes there happens exactly
        once; it must not commit. If it raises, nothing of it stays, and it is tried again later, before any later event of that account.

        Args:
            name: what the mark is kept under; default module and qualified name. Renaming a handler makes it a new one.
        Raises:
            DuplicateHandler: that event has a handler of that name.
        """

        def register(handler: Callable[[Session, E], None]) -> Callable[[Session, E], None]:
            key = name or f"{handler.__module__}.{handler.__qualname__}"
            handlers = self._handlers.setdefault(event.__name__, {})
            if key in handlers:
                raise DuplicateHandler(event.__name__, key)
            handlers[key] = handler
            return handler

        return register

    def publication(self) -> tuple[Change, ...]:
        """What `publish` would change at Stripe; asks, changes nothing."""
        return publishing.plan(self._gateway, self.catalogue)

    def publish(self, *, may_replace_used: bool = False) -> list[str]:
        """Make Stripe agree with the catalogue; returns what it changed, nothing the second time.

        A price with another amount is replaced for new subscribers; those who have the old one keep it. What is archived is taken off
        sale, and renews. Stopped anywhere, it goes on where it was when called again.

        Args:
            may_replace_used: replace prices, too, that somebody is subscribed to.
        Raises:
            PriceInUse: there are such prices; nothing was changed.
            GatewayError: Stripe could not be asked; what was done stays.
        """
        return [str(change) for change in publishing.apply(self._gateway, self.catalogue, may_replace_used=may_replace_used)]

    def inbox(self, limit: int = 50) -> list[InboxView]:
        """The newest events of Stripe, newest first."""
        with Session(self._engine) as session:
            return inbox.newest(session, limit=limit)

    def outbox(self, limit: int = 50) -> list[OutboxView]:
        """The newest domain events, newest first."""
        with Session(self._engine) as session:
            return outbox.newest(session, limit=limit)

    def replay(self, event_id: str) -> None:
        """Take a stored event of Stripe up again; the next `work` fetches its customer's truth.

        Raises:
            UnknownEvent: it is not stored.
        """
        with writing(self._engine) as session:
            inbox.replay(session, event_id)

    def retry(self, key: str) -> None:
        """Hand a dead domain event to the handlers that did not manage it, once more.

        Raises:
            UnknownEvent: there is no dead event of that key.
        """
        with writing(self._engine) as session:
            outbox.retry_dead(session, key)
