"""Who is told of what happens, and when: as part of the work, or once it is committed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.orm import Session, SessionTransaction

_PENDING = "roomtone_tenancy_untold"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened."""


E = TypeVar("E", bound=Event)
Handler = Callable[[E], object]


class Events:
    """Handlers by event type, called in the order in which they were added, by the thread in which it happens.

    Those of `Event` itself are observers: they are told of everything, after the handlers, and their errors are logged and stop nothing.
    """

    def __init__(self) -> None:
        self._observers: list[Callable[[Any], object]] = []
        self._handlers: dict[type[Event], list[Callable[[Any], object]]] = {}  # each takes the event that it is filed under

    def on(self, kind: type[E]) -> Callable[[Handler[E]], Handler[E]]:
        """See `Tenancy.on`."""

        def add(handler: Handler[E]) -> Handler[E]:
            (self._observers if kind is Event else self._handlers.setdefault(kind, [])).append(handler)
            return handler

        return add

    def has(self, *kinds: type[Event]) -> bool:
        """Whether any of these has a handler; observers count for none."""
        return any(kind in self._handlers for kind in kinds)

    def run(self, event: Event) -> None:
        """Call the handlers as part of the work: the first error ends it."""
        for handler in self._handlers.get(type(event), ()):
            handler(event)
        self._tell(event, self._observers)

    def tell(self, event: Event) -> None:
        """Call the handlers after the fact: nothing can be undone any more, so their errors are logged."""
        self._tell(event, (*self._handlers.get(type(event), ()), *self._observers))

    def tell_after(self, session: Session, event: Event) -> None:
        """Tell when the session's transaction commits; never if it, or the savepoint that it is in, is rolled back."""
        if type(event) not in self._handlers and not self._observers:
            return
        if _PENDING not in session.info:
            session.info[_PENDING] = []
            sqlalchemy_event.listen(session, "after_commit", _tell_pending)
            sqlalchemy_event.listen(session, "after_soft_rollback", _forget_undone)
        session.info[_PENDING].append((session.get_nested_transaction() or session.get_transaction(), self, event))

    @staticmethod
    def _tell(event: Event, handlers: Sequence[Callable[[Any], object]]) -> None:
        for handler in handlers:
            try:
                handler(event)
            except Exception:  # noqa: BLE001 -- whatever it is, what happened has happened
                _log.exception("A handler of %s failed", type(event).__name__)


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
