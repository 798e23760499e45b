"""Looks for what needs attention, and says how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from .fleet.rollout import RunState
from .migrate import Fleet
from .models import TenantRow
from .secrecy import Secrets


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """See `Tenancy.doctor`. Each check gives a sentence for each thing that is wrong, none when all is well."""

    fleet: Fleet

    def findings(self) -> list[str]:
        """Those of all checks, what stops a tenant first."""
        checks = (self._unfinished, self._behind, self._stopped, self._failed, self._spares, self._exposed, self._orphans)
        return [finding for check in checks for finding in check()]

    def _unfinished(self) -> Iterator[str]:
        for kind in ("provision", "clone", "move", "restore", "backup", "delete"):
            for key in self.fleet.of.operations.pending(kind):
                yield f"{key}: an unfinished {kind}; run resume."

    def _behind(self) -> Iterator[str]:
        head = self.fleet.of.revisions.head
        if behind := self.fleet.behind():
            yield f"{len(behind)} tenants are not at revision {head}, first {behind[0].key!r}; run migrate."

    def _stopped(self) -> Iterator[str]:
        row = self.fleet.latest()
        if row is not None and row.state is RunState.STOPPED and row.left:
            yield f"The run {row.id} to {row.target} was stopped ({row.reason}); mend what failed, then run migrate resume."

    def _failed(self) -> Iterator[str]:
        failed = select(TenantRow.key, TenantRow.migration_error).where(TenantRow.migration_error.is_not(None)).order_by(TenantRow.key)
        with Session(self.fleet.of.catalog) as session:
            for row in session.execute(failed).all():
                yield f"{row.key}: the last migration failed ({row.migration_error})."

    def _spares(self) -> Iterator[str]:
        for each in self.fleet.of.spares.status():
            if each.outdated:
                yield (
                    f"{each.outdated} spare databases on {each.server!r} are of an older revision and never given out, "
                    "so tenants that sign up wait for their database; run pool fill."
                )

    def _exposed(self) -> Iterator[str]:
        yield from Secrets.of(self.fleet.of).exposed()

    def _orphans(self) -> Iterator[str]:
        for name in self.fleet.orphans():
            yield f"Orphan {name}: no tenant accounts for it; look inside, then drop it."
