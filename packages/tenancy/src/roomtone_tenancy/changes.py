"""What changed in the catalog, and who wants to know: here when a transaction ends, elsewhere when it is announced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

_PENDING = "roomtone_tenancy_changes"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One thing that changed; all of it None when nobody knows what.

    Args:
        tenant: the id of the tenant.
        key: the key that it has or had.
        host: a host that it answers or answered to.
        server: the name of a server.
    """

    tenant: str | None = None
    key: str | None = None
    host: str | None = None
    server: str | None = None


EVERYTHING = Change()


class Changes:
    """Tells this process's caches. It holds no reference to a facade: what listens may outlive none."""

    def __init__(self) -> None:
        self._hear: list[Callable[[Change], None]] = []
        self._doubt: list[Callable[[], None]] = []

    def subscribe(self, hear: Callable[[Change], None], doubt: Callable[[], None]) -> None:
        """Have `hear` called for each change, and `doubt` when changes may have been missed."""
        self._hear.append(hear)
        self._doubt.append(doubt)

    def publish(self, change: Change) -> None:
        """Tell that it changed."""
        for hear in self._hear:
            hear(change)

    def doubt(self) -> None:
        """Tell that changes may have been missed."""
        for doubt in self._doubt:
            doubt()

    def publish_after(self, session: Session, *changes: Change) -> None:
        """Tell when the session's transaction has ended: before that, others still read the old rows."""
        pending: dict[Changes, set[Change]] | None = session.info.get(_PENDING)
        if pending is None:
            pending = session.info[_PENDING] = {}
            event.listen(session, "after_transaction_end", _publish)
        pending.setdefault(self, set()).update(changes)


def _publish(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        pending: dict[Changes, set[Change]] = session.info[_PENDING]
        while pending:
            changes, happened = pending.popitem()
            for change in happened:
                changes.publish(change)
