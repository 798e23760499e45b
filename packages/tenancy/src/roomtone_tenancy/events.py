"""What happens to tenants, as values that a host's handlers get. Told in this process; the catalog's log is what lasts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.orm import Session, SessionTransaction

from .lifecycle import TenantState
from .tenant import Tenant

_PENDING = "roomtone_tenancy_untold"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepStarted(Event):
    """A step is about to work. What a handler raises fails the step, and the next attempt calls it again."""

    tenant: Tenant
    operation: str
    step: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StepFinished(Event):
    """A step's work is done and not yet recorded. What a handler raises fails the step; after a kill it may be called again.

    The last step of an operation records its own end: handlers are told of it afterwards and their errors are logged.
    """

    tenant: Tenant
    operation: str
    step: str
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class StepFailed(Event):
    """A step failed and this was recorded; the operation can be run again."""

    tenant: Tenant
    operation: str
    step: str
    error: Exception


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantRegistered(Event):
    """The transaction that registered a tenant was committed; the tenant is as it was then."""

    tenant: Tenant


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantActivated(Event):
    """A new tenant can be used for the first time."""

    tenant: Tenant


@dataclass(frozen=True, kw_only=True, slots=True)
class StateChanged(Event):
    """A tenant moved within its lifecycle, and this was committed."""

    tenant: Tenant
    before: TenantState
    after: TenantState
    reason: str
    actor: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SpareMade(Event):
    """A spare database is ready to be claimed."""

    server: str
    database: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SpareClaimed(Event):
    """A new tenant took a spare, and this was committed."""

    tenant: Tenant


@dataclass(frozen=True, kw_only=True, slots=True)
class SpareDropped(Event):
    """A spare that nobody should get any more is gone, with its roles."""

    server: str
    database: str


E = TypeVar("E", bound=Event)
Handler = Callable[[E], object]


class Events:
    """Handlers by event type, called in the order in which they were added, by the thread in which it happens."""

    def __init__(self) -> None:
        self._handlers: dict[type[Event], list[Callable[[Any], object]]] = {}  # each takes the event that it is filed under

    def on(self, kind: type[E]) -> Callable[[Handler[E]], Handler[E]]:
        """See `Tenancy.on`."""

        def add(handler: Handler[E]) -> Handler[E]:
            self._handlers.setdefault(kind, []).append(handler)
            return handler

        return add

    def has(self, *kinds: type[Event]) -> bool:
        """Whether any of these has a handler."""
        return any(kind in self._handlers for kind in kinds)

    def run(self, event: Event) -> None:
        """Call the handlers as part of the work: the first error ends it."""
        for handler in self._handlers.get(type(event), ()):
            handler(event)

    def tell(self, event: Event) -> None:
        """Call the handlers after the fact: nothing can be undone any more, so their errors are logged."""
        for handler in self._handlers.get(type(event), ()):
            try:
                handler(event)
            except Exception:  # noqa: BLE001 -- whatever it is, what happened has happened
                _log.exception("A handler of %s failed", type(event).__name__)

    def tell_after(self, session: Session, event: Event) -> None:
        """Tell when the session's transaction commits; never if it, or the savepoint that it is in, is rolled back."""
        if type(event) not in self._handlers:
            return
        if _PENDING not in session.info:
            session.info[_PENDING] = []
            sqlalchemy_event.listen(session, "after_commit", _tell_pending)
            sqlalchemy_event.listen(session, "after_soft_rollback", _forget_undone)
        session.info[_PENDING].append((session.get_nested_transaction() or session.get_transaction(), self, event))


def _tell_pending(session: Session) -> None:
    pending, session.info[_PENDING] = session.info[_PENDING], []
    for _, events, event in pending:
        events.tell(event)


def _forget_undone(session: Session, undone: SessionTransaction) -> None:
    session.info[_PENDING] = [each for each in session.info[_PENDING] if not _is_within(each[0], undone)]


def _is_within(transaction: SessionTransaction | None, outer: SessionTransaction) -> bool:
    while transaction is not None and transaction is not outer:
        transaction = transaction.parent
    return transaction is outer
