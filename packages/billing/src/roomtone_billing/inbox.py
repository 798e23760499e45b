"""The inbox: Stripe's events stored once, then turned into marks on accounts. A payload is a hint; nothing of it is believed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Engine, Insert, and_, case, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute, Session

from .envelope import Envelope, parse
from .errors import GatewayError, UnknownEvent
from .gateway import Gateway
from .models import AccountRow, InboxRow, metadata
from .transactions import RetryPolicy, writing

PAYLOAD_BYTES_MAX = 256 * 1024


class State(StrEnum):
    """Where a stored event stands."""

    pending = "pending"  # nobody has looked at it
    unowned = "unowned"  # it names a charge and no customer, as a dispute does; Stripe is to be asked whose the charge is
    stranger = "stranger"  # its customer is unknown here; Stripe is to be asked whose it is
    marked = "marked"  # its account is marked dirty; a fetch will cover it
    done = "done"  # a snapshot fetched after it is written
    connected = "connected"  # of a connected account; never touches a platform row
    ignored = "ignored"  # about nobody's customer, or of another mode
    foreign = "foreign"  # about somebody else's customer
    dead = "dead"  # tried often enough


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What `receive` did: `is_new` is False for an event stored before."""

    event_id: str
    is_new: bool


@dataclass(frozen=True, kw_only=True)
class InboxView:
    """A stored event, for people; `state` as in `State`, `error` the last failure."""

    event_id: str
    type: str
    received_at: datetime
    state: str
    attempts: int
    error: str | None
    account: str | None


def store(engine: Engine, payload: bytes, *, livemode: bool, now: datetime) -> Receipt:
    """Store a verified payload unless an event of that (account, mode, id) is stored; one insert.

    Raises:
        MalformedEvent: it is not an event.
    """
    envelope = parse(payload)
    values = {
        "stripe_account": envelope.stripe_account,
        "livemode": envelope.livemode,
        "event_id": envelope.event_id,
        "type": envelope.type,
        "customer": envelope.customer,
        "charge": envelope.charge if envelope.customer is None else None,
        "payload": payload,
        "received_at": now,
        "state": _first_state(envelope, livemode=livemode),
        "attempts": 0,
    }
    with engine.begin() as connection:
        is_new = connection.execute(_insert(engine.dialect.name), values).rowcount == 1
    return Receipt(event_id=envelope.event_id, is_new=is_new)


@cache
def _insert(dialect: str) -> Insert:
    # Made once, and of the table: to build it of the row for each event takes as long as all the rest. What an INSERT counted is
    # forgotten with its cursor unless it is asked for.
    table, insert = metadata.tables[InboxRow.__tablename__], postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing().inline().execution_options(preserve_rowcount=True)


def _first_state(envelope: Envelope, *, livemode: bool) -> State:
    # Both modes arrive at an endpoint for connected accounts: https://docs.stripe.com/connect/webhooks
    if envelope.livemode != livemode:
        return State.ignored
    if envelope.stripe_account:
        return State.connected
    if envelope.customer is not None:
        return State.pending
    return State.unowned if envelope.charge is not None else State.ignored


def adopt(engine: Engine, gateway: Gateway, *, retry: RetryPolicy, now: datetime, limit: int) -> int:
    """Ask Stripe whose the unknown customers and charges are, at most `limit` of each; returns how many were settled.

    A customer made by a process that died before writing its id down is adopted; any other is somebody else's.
    """
    settled = _own(engine, gateway, retry=retry, now=now, limit=limit)
    for customer in _asked(engine, InboxRow.customer, State.stranger, now=now, limit=limit):
        try:
            owner = gateway.owner(customer)
        except GatewayError as error:
            _postpone(engine, and_(InboxRow.state == State.stranger, InboxRow.customer == customer), error, retry=retry, now=now)
            continue
        with writing(engine) as session:
            row = session.scalar(select(AccountRow).where(AccountRow.account == owner.account).with_for_update()) if owner.account else None
            is_ours = row is not None and row.token == owner.token and row.customer in {None, customer}
            if is_ours and row is not None:
                row.customer = customer
            session.execute(
                update(InboxRow)
                .where(InboxRow.state == State.stranger, InboxRow.customer == customer)
                .values(state=State.pending if is_ours else State.foreign)
            )
        settled += 1
    return settled


def _own(engine: Engine, gateway: Gateway, *, retry: RetryPolicy, now: datetime, limit: int) -> int:
    """Find the customers of the charges that events name; a charge of nobody concerns no account."""
    settled = 0
    for charge in _asked(engine, InboxRow.charge, State.unowned, now=now, limit=limit):
        about = and_(InboxRow.state == State.unowned, InboxRow.charge == charge)
        try:
            customer = gateway.customer_of(charge)
        except GatewayError as error:
            _postpone(engine, about, error, retry=retry, now=now)
            continue
        state = State.ignored if customer is None else State.pending
        with writing(engine) as session:
            session.execute(update(InboxRow).where(about).values(customer=customer, state=state, attempts=0, retry_at=None, error=None))
        settled += 1
    return settled


def _asked(engine: Engine, what: InstrumentedAttribute[str | None], state: State, *, now: datetime, limit: int) -> list[str]:
    """What Stripe is to be asked about now: each once, however many events name it."""
    due = or_(InboxRow.retry_at.is_(None), InboxRow.retry_at <= now)
    with Session(engine) as session:
        found = session.scalars(select(what).where(InboxRow.state == state, due).distinct().limit(limit)).all()
    return [one for one in found if one is not None]


def _postpone(engine: Engine, about: ColumnElement[bool], error: GatewayError, *, retry: RetryPolicy, now: datetime) -> None:
    with writing(engine) as session:
        rows = session.scalars(select(InboxRow).where(about).with_for_update())
        for row in rows:
            row.attempts, row.error = row.attempts + 1, str(error)
            row.retry_at = retry.after(row.attempts, now)
            if row.retry_at is None:
                row.state = State.dead


def newest(session: Session, *, limit: int) -> list[InboxView]:
    """The newest stored events."""
    rows = session.scalars(select(InboxRow).order_by(InboxRow.id.desc()).limit(limit))
    return [
        InboxView(
            event_id=row.event_id,
            type=row.type,
            received_at=row.received_at,
            state=row.state,
            attempts=row.attempts,
            error=row.error,
            account=row.account,
        )
        for row in rows
    ]


def replay(session: Session, event_id: str) -> None:
    """Take an event up again as if it had just come, whatever became of it; harmless, since the truth is fetched.

    Raises:
        UnknownEvent: no such event is stored.
    """
    taken = session.scalars(
        update(InboxRow).where(InboxRow.event_id == event_id, InboxRow.state != State.ignored).values(as_if_new()).returning(InboxRow.id)
    ).all()
    if not taken and session.scalar(select(InboxRow.id).where(InboxRow.event_id == event_id).limit(1)) is None:
        raise UnknownEvent(event_id)


def as_if_new() -> dict[str, Any]:  # Any: values of columns
    """The values of an event that nobody has looked at; one of a connected account goes back where it came from."""
    is_unowned = and_(InboxRow.customer.is_(None), InboxRow.charge.is_not(None))
    state = case((InboxRow.stripe_account != "", State.connected), (is_unowned, State.unowned), else_=State.pending)
    return {"state": state, "mark": None, "attempts": 0, "retry_at": None, "error": None}
