"""One operation on a tenant, from its wish to its end: leased, recorded step by step, taken back or left for the next attempt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.orm import Session

from ..errors import OperationBusy
from ..events import OperationUndone
from ..models import OperationRow
from ..operations import ERROR_LENGTH_MAX, Attempt, Listener
from ..provisioning import Provisioning
from ..tenant import Tenant
from .errors import OperationFailed

Wish = Callable[[Session], tuple[Sequence[str], Mapping[str, Any]]]


class Steps(Protocol):
    """What an operation does."""

    def do(self, step: str) -> None:
        """Do a step; the last one calls `Attempt.finish`."""

    def undo(self) -> bool:
        """Take back what was done, if that can be; whether it was."""


@dataclass(frozen=True, kw_only=True)
class Undertaking:
    """Runs operations of one kind."""

    of: Provisioning
    kind: str

    @contextmanager
    def held(self, tenant: Tenant, wish: Wish | None, listener: Listener | None) -> Iterator[Attempt]:
        """The tenant's lease, with the operation that was begun earlier or else the one that is wished for now.

        Args:
            wish: gives the steps and what every attempt has to know, in the transaction that writes them down; None resumes only.

        Raises:
            OperationBusy: another process is at it, another operation has to be finished first, or there is none to resume.
        """
        with self.of.spans.span(self.kind, tenant=tenant.key), self.of.leases.hold(f"tenant:{tenant.id}") as lease:
            with Session(self.of.catalog) as session, session.begin():
                lease.check(session)
                self._want(session, tenant, wish)
                attempt = self.of.operations.begin(session, lease, tenant, listener, kind=self.kind, is_instant=False)
            yield attempt

    def run(self, attempt: Attempt, steps: Steps) -> None:
        """Do the steps that are left.

        Raises:
            OperationFailed: one of them failed.
        """
        if attempt.details.get("is_undoing"):
            self._end_undone(attempt, steps, str(attempt.details["is_undoing"]))
        for name in attempt.steps:
            try:
                with attempt.step(name):
                    steps.do(name)
            except OperationBusy:
                raise
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                is_undone = self._undone(attempt, steps, f"{name}: {reason}")
                raise OperationFailed(attempt.tenant.key, self.kind, name, reason, is_undone=is_undone) from error

    def _want(self, session: Session, tenant: Tenant, wish: Wish | None) -> None:
        other = self.of.operations.unfinished(session, tenant.id, but=self.kind)
        if other is not None:
            raise OperationBusy(f"tenant {tenant.key!r}", owner=f"an unfinished {other.kind}: run resume")
        if wish is not None and self.of.operations.unfinished(session, tenant.id) is None:
            steps, details = wish(session)
            self.of.operations.want(session, tenant.id, self.kind, steps, details=details)

    def _undone(self, attempt: Attempt, steps: Steps, reason: str) -> bool:
        try:
            if not steps.undo():
                return False
            self._close(attempt, reason)
        except Exception:  # noqa: BLE001 -- the first error is the one to tell; this one is met again when it is resumed
            return False
        return True

    def _end_undone(self, attempt: Attempt, steps: Steps, reason: str) -> None:
        """An earlier attempt was taking it back when it ended: go on with that."""
        is_undone = self._undone(attempt, steps, reason)
        raise OperationFailed(attempt.tenant.key, self.kind, "undo", reason, is_undone=is_undone)

    def _close(self, attempt: Attempt, reason: str) -> None:
        with Session(self.of.catalog) as session, session.begin():
            attempt.lease.check(session)
            row = session.get_one(OperationRow, attempt.id)
            row.finished_at, row.owner, row.error = self.of.clock(), None, f"taken back: {reason}"[:ERROR_LENGTH_MAX]
            self.of.events.tell_after(session, OperationUndone(tenant=attempt.tenant, operation=self.kind, reason=reason))
