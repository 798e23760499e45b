"""The inbox: Stripe's events stored once, then turned into marks on accounts. A payload is a hint; nothing of it is believed."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Never

from sqlalchemy import Engine, case, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from .errors import GatewayError, MalformedEvent, UnknownEvent
from .gateway import Gateway
from .models import AccountRow, InboxRow
from .transactions import RetryPolicy, writing

PAYLOAD_BYTES_MAX = 256 * 1024
_ID = re.compile(r"[A-Za-z0-9_]{1,255}")
_TYPE = re.compile(r"[a-z0-9_.]{1,255}")


class State(StrEnum):
    """Where a stored event stands."""

    pending = "pending"  # nobody has looked at it
    stranger = "stranger"  # its customer is unknown here; Stripe is to be asked whose it is
    marked = "marked"  # its account is marked dirty; a fetch will cover it
    done = "done"  # a snapshot fetched after it is written
    connected = "connected"  # of a connected account; never touches a platform row
    ignored = "ignored"  # about no customer, or of another mode
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


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """The little of a payload that is used: enough to store it once and to know whom it is about."""

    event_id: str
    type: str
    livemode: bool
    stripe_account: str
    customer: str | None


def parse(payload: bytes) -> Envelope:
    """Read an event's envelope.

    Raises:
        MalformedEvent: for every body that is not one.
    """
    try:
        body = json.loads(payload.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedEvent("the body is not JSON in UTF-8") from error
    data = body.get("data") if isinstance(body, dict) else None
    thing = data.get("object") if isinstance(data, dict) else None
    if not isinstance(thing, dict) or not isinstance(body.get("livemode"), bool):
        raise MalformedEvent("the body has no data.object or no livemode")
    return Envelope(
        event_id=_text(body.get("id"), _ID, "id"),
        type=_text(body.get("type"), _TYPE, "type"),
        livemode=body["livemode"],
        stripe_account=_text(body["account"], _ID, "account") if body.get("account") is not None else "",
        customer=_customer(thing),
    )


def store(engine: Engine, payload: bytes, *, livemode: bool, now: datetime) -> Receipt:
    """Store a verified payload unless an event of that (account, mode, id) is stored; one insert.

    Raises:
        MalformedEvent: it is not an event.
    """
    envelope = parse(payload)
    state = _first_state(envelope, livemode=livemode)
    insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
    statement = (
        insert(InboxRow)
        .values(
            stripe_account=envelope.stripe_account,
            livemode=envelope.livemode,
            event_id=envelope.event_id,
            type=envelope.type,
            customer=envelope.customer,
            payload=payload,
            received_at=now,
            state=state,
            attempts=0,
        )
        .on_conflict_do_nothing()
        .returning(InboxRow.id)
    )
    with engine.begin() as connection:
        is_new = connection.execute(statement).first() is not None
    return Receipt(event_id=envelope.event_id, is_new=is_new)


def _first_state(envelope: Envelope, *, livemode: bool) -> State:
    # Both modes arrive at an endpoint for connected accounts: https://docs.stripe.com/connect/webhooks
    if envelope.livemode != livemode:
        return State.ignored
    if envelope.stripe_account:
        return State.connected
    return State.ignored if envelope.customer is None else State.pending


def adopt(engine: Engine, gateway: Gateway, *, retry: RetryPolicy, now: datetime, limit: int) -> int:
    """Ask Stripe whose the unknown customers are, at most `limit` of them; returns how many were settled.

    A customer made by a process that died before writing its id down is adopted; any other is somebody else's.
    """
    with Session(engine) as session:
        strangers = session.scalars(
            select(InboxRow.customer)
            .where(InboxRow.state == State.stranger, or_(InboxRow.retry_at.is_(None), InboxRow.retry_at <= now))
            .distinct()
            .limit(limit)
        ).all()
    settled = 0
    for customer in strangers:
        try:
            owner = gateway.owner(customer or "")
        except GatewayError as error:
            _postpone(engine, customer, error, retry=retry, now=now)
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


def _postpone(engine: Engine, customer: str | None, error: GatewayError, *, retry: RetryPolicy, now: datetime) -> None:
    with writing(engine) as session:
        rows = session.scalars(select(InboxRow).where(InboxRow.state == State.stranger, InboxRow.customer == customer).with_for_update())
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
    state = case((InboxRow.stripe_account != "", State.connected), else_=State.pending)
    return {"state": state, "mark": None, "attempts": 0, "retry_at": None, "error": None}


def _customer(thing: dict[str, Any]) -> str | None:
    # A reference is an id, or the whole object when expanded; a customer's own events are about itself.
    found = thing.get("id") if thing.get("object") == "customer" else thing.get("customer")
    if isinstance(found, dict):
        found = found.get("id")
    return None if found is None else _text(found, _ID, "customer")


def _text(value: object, pattern: re.Pattern[str], name: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise MalformedEvent(f"the event's {name} is absent or unreadable")
    return value


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")
