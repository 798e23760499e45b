"""The combiner: callers of one account at the same time share one transaction, and each gets an answer of their own.

Whoever finds an account at rest carries out their own act at once. Who comes meanwhile queues; when the transaction is committed, the first
of the queue carries out everybody's acts in the next one. Nobody waits for a timer, and nobody is answered before the commit.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy.exc import InterfaceError, OperationalError

from .acts import Act, Outcome
from .errors import CreditsError, LedgerBusy

BATCH_MAX = 128
QUEUE_MAX = 4096

# Any, here and below: acts of one batch have answers of many types.
Run = Callable[[str, Sequence[Act[Any]]], Sequence[Outcome]]


class Combiner:
    """Batches acts by account.

    Args:
        run: carries out acts of one account in one transaction; raises when none of them was carried out.
        batch_max: most acts in one transaction.
        queue_max: most acts waiting for one account; more are refused with LedgerBusy.
    """

    def __init__(self, run: Run, *, batch_max: int = BATCH_MAX, queue_max: int = QUEUE_MAX) -> None:
        self._run, self._batch_max, self._queue_max = run, batch_max, queue_max
        self._reset()

    def submit(self, account: str, act: Act[Any]) -> Any:
        """Carry out an act, alone or among others; return its answer or raise what is wrong with it.

        Raises: LedgerBusy when the queue of the account is full.
        """
        if self._process != os.getpid():
            # A fork copies locks that are held and queues whose threads stayed behind.
            self._reset()
        ticket = _Ticket(act)
        with self._lock:
            waiting = self._waiting.get(account)
            if waiting is None:
                self._waiting[account] = deque()
                batch = [ticket]
            elif len(waiting) >= self._queue_max:
                raise LedgerBusy(account, f"{self._queue_max} others wait for it")
            else:
                waiting.append(ticket)
                batch = []
        if not batch:
            batch = self._wait(account, ticket)
        if batch:
            self._lead(account, batch)
        assert ticket.outcome is not None
        return ticket.outcome.get()

    def _wait(self, account: str, ticket: _Ticket) -> list[_Ticket]:
        """Wait for an outcome, or for a batch to lead."""
        try:
            ticket.gate.acquire()
        except BaseException:
            # Interrupted while waiting: whoever would have been led by this thread must not wait for it.
            with self._lock:
                led, waiting = ticket.batch, self._waiting.get(account)
                if not led and waiting and ticket in waiting:
                    waiting.remove(ticket)
            if led:
                self._hand_on(account, led[1:])
            raise
        return ticket.batch

    def _reset(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[_Ticket]] = {}

    def _lead(self, account: str, batch: list[_Ticket]) -> None:
        """Carry out a batch whose first ticket is one's own, then hand the account on."""
        try:
            outcomes = outcomes_of(self._run, account, [ticket.act for ticket in batch])
            for ticket, outcome in zip(batch, outcomes, strict=True):
                ticket.outcome = outcome
        finally:
            # Also when this thread is interrupted: then the others are carried out by whoever comes first of them.
            left = [ticket for ticket in batch[1:] if ticket.outcome is None]
            self._hand_on(account, left)
            for ticket in batch[1:]:
                if ticket.outcome is not None:
                    ticket.gate.release()

    def _hand_on(self, account: str, left: list[_Ticket]) -> None:
        with self._lock:
            waiting = self._waiting[account]
            waiting.extendleft(reversed(left))
            if not waiting:
                del self._waiting[account]
                return
            batch = [waiting.popleft() for _ in range(min(len(waiting), self._batch_max))]
            batch[0].batch = batch
        batch[0].gate.release()


class _Ticket:
    """One caller waiting. The gate opens when there is an outcome, or when it is this caller's turn to lead `batch`."""

    __slots__ = ("act", "batch", "gate", "outcome")

    def __init__(self, act: Act[Any]) -> None:
        self.act = act
        self.outcome: Outcome | None = None
        self.batch: list[_Ticket] = []
        self.gate = threading.Lock()
        self.gate.acquire()


def outcomes_of(run: Run, account: str, acts: Sequence[Act[Any]]) -> Sequence[Outcome]:
    """Carry out acts together, or one by one when what one of them asks for breaks the transaction.

    What stops all of them, such as a database that is away, is not tried again for each.
    """
    try:
        return run(account, acts)
    except Exception as problem:  # noqa: BLE001  # it is raised again, to the callers it belongs to
        if len(acts) == 1 or isinstance(problem, CreditsError | OperationalError | InterfaceError):
            return [Outcome(problem=problem) for _ in acts]
        return [outcome for act in acts for outcome in outcomes_of(run, account, [act])]
