"""Metered use: written down with what was used, then told to Stripe's meters exactly once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, Engine, and_, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from .errors import GatewayError, GatewayUnavailable, KeyReused, OutsideMeterWindow, UnknownAccount, UnknownEvent, UnknownMeter
from .gateway import Gateway
from .models import AccountRow, MeteredRow
from .plans import Catalogue
from .transactions import Clock, RetryPolicy, writing

# What Stripe accepts: https://docs.stripe.com/api/billing/meter-event/create
PAST_MAX, FUTURE_MAX = timedelta(days=35), timedelta(minutes=5)
_IDENTIFIER_LENGTH_MAX = 100
# Stripe forgets identifiers after a day; one that may have been counted must not be sent again near its end.
_DOUBT_AFTER = timedelta(hours=23)
_LEASE = timedelta(minutes=5)
_BATCH_MAX = 100


class State(StrEnum):
    """Where a metered use stands."""

    pending = "pending"
    sent = "sent"
    dead = "dead"


@dataclass(frozen=True, kw_only=True)
class MeterReport:
    """One meter's outbox: uses and units in each state, and since when the oldest waits."""

    meter: str
    pending: int
    sent: int
    dead: int
    units_sent: int
    units_pending: int
    waiting_since: datetime | None


@dataclass(frozen=True, kw_only=True)
class _Use:
    id: int
    account: str
    meter: str
    key: str
    units: int
    used_at: datetime
    customer: str
    is_fresh: bool

    @property
    def identifier(self) -> str:
        text = f"{self.account}/{self.meter}/{self.key}"
        return text if len(text) <= _IDENTIFIER_LENGTH_MAX else hashlib.sha256(text.encode()).hexdigest()


class Metering:
    """Use that is paid for by the unit; made by `Billing.metering`, holds no state of its own."""

    def __init__(self, *, engine: Engine, gateway: Gateway, catalogue: Catalogue, retry: RetryPolicy, clock: Clock) -> None:
        self._engine, self._gateway, self._catalogue, self._retry, self._clock = engine, gateway, catalogue, retry, clock

    def record(self, session: Session, account: str, meter: str, units: int, *, key: str, at: datetime | None = None) -> bool:
        """Write a use down in the caller's transaction, once for its key; returns False if it was. `Billing.work` tells Stripe.

        Args:
            meter: one of the catalogue's meters: the event name of a meter at Stripe.
            units: how many, >= 1.
            key: what was used, in the host's words, at most 200 characters.
            at: when it was used, default now; at most 35 days ago, which is as far back as Stripe counts.
        Raises:
            UnknownMeter, UnknownAccount, OutsideMeterWindow: nothing was written.
            KeyReused: the key stands for another number of units.
        """
        now = self._clock()
        used_at = now if at is None else at
        if meter not in self._catalogue.meters:
            raise UnknownMeter(meter, self._catalogue.meters)
        if units < 1:
            raise ValueError(f"{units} of {meter!r} is nothing to count; count 1 or more")
        if not now - PAST_MAX <= used_at <= now + FUTURE_MAX:
            raise OutsideMeterWindow(meter, key, used_at)
        if session.scalar(select(AccountRow.account).where(AccountRow.account == account)) is None:
            raise UnknownAccount(account)
        insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
        values = {"account": account, "meter": meter, "key": key, "units": units, "used_at": used_at, "created_at": now}
        statement = insert(MeteredRow).values(**values, state=State.pending, attempts=0).on_conflict_do_nothing()
        if session.execute(statement.returning(MeteredRow.id)).first() is not None:
            return True
        before = session.scalars(select(MeteredRow.units).where(_is_use(account, meter, key))).one()
        if before != units:
            raise KeyReused(key, before=f"{before} of {meter}", now=f"{units} of {meter}")
        return False

    def report(self) -> list[MeterReport]:
        """Every meter of the catalogue with what was and what has still to be told, by name."""
        with Session(self._engine) as session:
            rows = session.execute(
                select(
                    MeteredRow.meter, MeteredRow.state, func.count(), func.sum(MeteredRow.units), func.min(MeteredRow.created_at)
                ).group_by(MeteredRow.meter, MeteredRow.state)
            ).all()
        found = {(meter, state): (count, int(units), since) for meter, state, count, units, since in rows}
        nothing = (0, 0, None)
        meters = sorted({*self._catalogue.meters, *(meter for meter, _ in found)})
        return [
            MeterReport(
                meter=meter,
                pending=found.get((meter, State.pending), nothing)[0],
                sent=found.get((meter, State.sent), nothing)[0],
                dead=found.get((meter, State.dead), nothing)[0],
                units_sent=found.get((meter, State.sent), nothing)[1],
                units_pending=found.get((meter, State.pending), nothing)[1],
                waiting_since=found.get((meter, State.pending), nothing)[2],
            )
            for meter in meters
        ]

    def retry(self, account: str, meter: str, key: str) -> None:
        """Let a dead use be sent again, when a person has made sure that Stripe has not counted it.

        Raises:
            UnknownEvent: there is no dead use of that key.
        """
        fresh = {"state": State.pending, "attempts": 0, "retry_at": None, "tried_at": None, "leased_until": None, "error": None}
        with writing(self._engine) as session:
            dead = update(MeteredRow).where(_is_use(account, meter, key), MeteredRow.state == State.dead).values(fresh)
            if not session.execute(dead.returning(MeteredRow.id)).all():
                raise UnknownEvent(f"{account}/{meter}/{key}")

    def send(self, limit: int = _BATCH_MAX) -> int:
        """Tell Stripe of waiting uses, oldest first, at most `limit` and 100; returns how many were settled.

        Uses of accounts without a customer wait. When Stripe is away, or asks for a pause, the whole batch waits.
        """
        waiting, done = self._claim(min(limit, _BATCH_MAX)), 0
        for at, use in enumerate(waiting):
            try:
                self._gateway.report_use(meter=use.meter, customer=use.customer, units=use.units, identifier=use.identifier, at=use.used_at)
            except GatewayError as error:
                done += self._fail(use, error)
                if isinstance(error, GatewayUnavailable):
                    self._leave(waiting[at + 1 :])
                    break
            else:
                self._settle(use.id, state=State.sent, error=None)
                done += 1
        return done

    def _claim(self, limit: int) -> list[_Use]:
        now = self._clock()
        is_due = and_(
            MeteredRow.state == State.pending,
            AccountRow.customer.is_not(None),
            or_(MeteredRow.retry_at.is_(None), MeteredRow.retry_at <= now),
            or_(MeteredRow.leased_until.is_(None), MeteredRow.leased_until <= now),
        )
        due = select(MeteredRow, AccountRow.customer).join(AccountRow, AccountRow.account == MeteredRow.account).where(is_due)
        with Session(self._engine) as session:
            if session.execute(due.limit(1)).first() is None:
                return []
        claimed = []
        with writing(self._engine) as session:
            locked = due.order_by(MeteredRow.id).limit(limit).with_for_update(of=MeteredRow, skip_locked=True)
            for row, customer in session.execute(locked):
                reason = _hopeless(row, now)
                if reason is not None:
                    row.state, row.error = State.dead, reason
                    continue
                is_fresh = row.tried_at is None
                row.leased_until, row.tried_at = now + _LEASE, row.tried_at or now
                assert customer is not None, "is_due asks for it"
                facts = {name: getattr(row, name) for name in ("id", "account", "meter", "key", "units", "used_at")}
                claimed.append(_Use(**facts, customer=customer, is_fresh=is_fresh))
        return claimed

    def _fail(self, use: _Use, error: GatewayError) -> int:
        """Put off a use that may be told later; bury one that may not. Returns whether it is settled."""
        now = self._clock()
        with writing(self._engine) as session:
            row = session.get_one(MeteredRow, use.id, with_for_update=True)
            row.attempts, row.error, row.leased_until = row.attempts + 1, f"{type(error).__name__}: {error}", None
            row.retry_at = self._retry.after(row.attempts, now) if isinstance(error, GatewayUnavailable) else None
            row.state = State.dead if row.retry_at is None else State.pending
            return row.state == State.dead

    def _leave(self, uses: Sequence[_Use]) -> None:
        """Give claimed uses back that were not sent; none of them is in doubt that was not before."""
        for is_fresh, values in ((True, {"leased_until": None, "tried_at": None}), (False, {"leased_until": None})):
            ids = [one.id for one in uses if one.is_fresh is is_fresh]
            with writing(self._engine) as session:
                session.execute(update(MeteredRow).where(MeteredRow.id.in_(ids)).values(values))

    def _settle(self, use: int, **values: object) -> None:
        with writing(self._engine) as session:
            session.execute(update(MeteredRow).where(MeteredRow.id == use).values(leased_until=None, retry_at=None, **values))


def _is_use(account: str, meter: str, key: str) -> ColumnElement[bool]:
    return and_(MeteredRow.account == account, MeteredRow.meter == meter, MeteredRow.key == key)


def _hopeless(row: MeteredRow, now: datetime) -> str | None:
    if row.used_at < now - PAST_MAX:
        return "older than 35 days, which is as far back as Stripe counts"
    if row.tried_at is not None and row.tried_at <= now - _DOUBT_AFTER:
        return "sent a day ago without an answer; Stripe may have counted it and has forgotten its identifier: look, then retry"
    return None
