"""What runs and their runners tell each other: who is behind, what is leased, what became of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ..events import Event, MigrationFailed, TenantMigrated, TenantQuarantined
from .rollout import Rollout


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A tenant that is behind."""

    id: str
    key: str
    server: str
    revision: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """One tenant of a run, leased to this runner.

    Args:
        before: its revision, as the catalog knew it when the run began.
        database: None when it is no tenant to migrate any more.
        generation: of the lease; later takers have a higher one.
        attempts: this one included.
    """

    position: int
    tenant_id: str
    key: str
    server: str
    before: str | None
    database: str | None
    generation: int
    attempts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What became of one work.

    Args:
        revision: what its database is at now; None when that is not known.
        way: `replay` or `alembic`; None when nothing was run.
        error: why it failed, with `may_pass` when another try may do.
        is_skipped: it is no tenant to migrate any more.
    """

    work: Work
    revision: str | None = None
    way: str | None = None
    seconds: float = 0.0
    error: str | None = None
    may_pass: bool = False
    is_skipped: bool = False

    def is_to_be_tried_again(self, rollout: Rollout) -> bool:
        """Whether it failed and another try follows."""
        return self.error is not None and self.may_pass and self.work.attempts < rollout.attempts

    def events(self, run: int, rollout: Rollout) -> list[Event]:
        """What to tell of it once it is recorded."""
        work, key, server = self.work, self.work.key, self.work.server
        if self.is_skipped:
            return []
        if self.error is None:
            after, seconds = self.revision or "", self.seconds
            return [TenantMigrated(run=run, key=key, server=server, before=work.before, after=after, way=self.way, seconds=seconds)]
        if self.is_to_be_tried_again(rollout):
            return [MigrationFailed(run=run, key=key, server=server, error=self.error, attempt=work.attempts)]
        return [TenantQuarantined(run=run, key=key, server=server, error=self.error, attempts=work.attempts)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """What a runner may do next.

    Args:
        works: leased to it now.
        is_over: the run has ended; what is leased may be finished.
        wait_s: when nothing can be leased, how long until it may be.
        events: what the transaction made true, to be told now that it is committed.
    """

    works: tuple[Work, ...] = ()
    is_over: bool = False
    wait_s: float = 0.0
    events: tuple[Event, ...] = ()
