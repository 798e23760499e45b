"""The outbox: domain events written with what caused them, then handed to each handler exactly once, in each account's order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from .errors import UnknownEvent
from .events import Event, from_json, to_json
from .models import HandledRow, OutboxRow
from .transactions import RetryPolicy, writing

Handler = Callable[[Session, Any], None]  # Any: each handler takes its own event type
Handlers = Mapping[str, Mapping[str, Handler]]


class State(StrEnum):
    """Where a domain event stands."""

    pending = "pending"
    done = "done"
    dead = "dead"


@dataclass(frozen=True, kw_only=True)
class OutboxView:
    """A domain event, for people; `error` is the last failure of a handler."""

    key: str
    type: str
    account: str
    created_at: datetime
    state: str
    attempts: int
    error: str | None


def write(session: Session, events: Iterable[Event], *, now: datetime) -> None:
    """Add the events to the caller's transaction; one whose key is there already is the same fact and is left out."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    for event in events:
        session.execute(
            insert(OutboxRow)
            .values(
                key=event.key,
                account=event.account,
                type=type(event).__name__,
                body=to_json(event),
                created_at=now,
                state=State.pending,
                attempts=0,
            )
            .on_conflict_do_nothing(index_elements=[OutboxRow.key])
        )


def dispatch(engine: Engine, handlers: Handlers, *, retry: RetryPolicy, now: datetime, limit: int) -> int:
    """Hand due events to their handlers, at most `limit` events; returns how many were finished.

    An account's events keep their order: a later one waits for an earlier one until that is done or dead.
    """
    finished = 0
    for _ in range(limit):
        heads = due(engine, now=now, limit=limit)
        progress = [_deliver(engine, event, kind, handlers.get(kind, {}), retry=retry, now=now) for event, kind in heads]
        finished += sum(progress)
        if not any(progress) or finished >= limit:
            break
    return finished


def due(engine: Engine, *, now: datetime, limit: int) -> Sequence[tuple[int, str]]:
    """Each account's oldest pending event that may be tried now: (row id, type)."""
    heads = select(func.min(OutboxRow.id)).where(OutboxRow.state == State.pending).group_by(OutboxRow.account)
    with Session(engine) as session:
        found = session.execute(
            select(OutboxRow.id, OutboxRow.type)
            .where(OutboxRow.id.in_(heads), or_(OutboxRow.retry_at.is_(None), OutboxRow.retry_at <= now))
            .order_by(OutboxRow.id)
            .limit(limit)
        )
        return [(row[0], row[1]) for row in found]


def _deliver(engine: Engine, event: int, kind: str, handlers: Mapping[str, Handler], *, retry: RetryPolicy, now: datetime) -> bool:
    errors: list[str] = []
    for name, handler in handlers.items():
        try:
            is_mine = _handle(engine, event, kind, name, handler, now=now)
        except Exception as error:  # noqa: BLE001 a host's handler may raise anything, and must not stop other accounts
            errors.append(f"{name}: {type(error).__name__}: {error}")
        else:
            if not is_mine:
                return False
    with writing(engine) as session:
        row = session.get_one(OutboxRow, event, with_for_update=True)
        if row.state != State.pending:
            return False
        if errors:
            row.attempts, row.error = row.attempts + 1, "; ".join(errors)
            row.retry_at = retry.after(row.attempts, now)
        row.state = State.done if not errors else State.dead if row.retry_at is None else State.pending
        return row.state != State.pending


def _handle(engine: Engine, event: int, kind: str, name: str, handler: Handler, *, now: datetime) -> bool:
    """Run one handler unless it had the event; False when another worker is at it."""
    with writing(engine) as session:
        row = session.scalar(
            select(OutboxRow).where(OutboxRow.id == event, OutboxRow.state == State.pending).with_for_update(skip_locked=True)
        )
        if row is None:
            return False
        if session.get(HandledRow, (event, name)) is None:
            session.add(HandledRow(event=event, handler=name, handled_at=now))
            session.flush()
            handler(session, from_json(kind, row.body))
    return True


def newest(session: Session, *, limit: int) -> list[OutboxView]:
    """The newest domain events."""
    return [
        OutboxView(
            key=row.key,
            type=row.type,
            account=row.account,
            created_at=row.created_at,
            state=row.state,
            attempts=row.attempts,
            error=row.error,
        )
        for row in session.scalars(select(OutboxRow).order_by(OutboxRow.id.desc()).limit(limit))
    ]


def retry_dead(session: Session, key: str) -> None:
    """Let the handlers that failed have a dead event again; those that had it do not get it twice.

    Raises:
        UnknownEvent: there is no dead event of that key.
    """
    taken = session.scalars(
        update(OutboxRow)
        .where(OutboxRow.key == key, OutboxRow.state == State.dead)
        .values(state=State.pending, attempts=0, retry_at=None, error=None)
        .returning(OutboxRow.id)
    ).all()
    if not taken:
        raise UnknownEvent(key)
