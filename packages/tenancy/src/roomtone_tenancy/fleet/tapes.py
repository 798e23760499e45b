"""The tapes of one run: which revisions are proved to be the same for every tenant of a server, and their statements."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Dialect

from ..errors import StampMismatch
from ..provisioners import Facts, Place
from ..revisions import Revisions
from ..sites import Site
from .rollout import Rollout
from .runs import Runs
from .tape import NotReplayable, Recorder, Step, render
from .works import Work


@dataclass(kw_only=True)
class Tapes:
    """Proofs are kept in the catalog, one for each server and revision; statements are rendered by each process, and must be the same."""

    revisions: Revisions
    runs: Runs
    run_id: int
    _steps: dict[tuple[str, str], Step | None] = field(default_factory=dict)  # by server and revision; None: not to be replayed
    _paths: dict[tuple[str, str], list[Step]] = field(default_factory=dict)  # by server and revision that they begin at
    _dialects: dict[str, Dialect] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def apply(self, site: Site, work: Work, place: Place, rollout: Rollout, *, check: Callable[[Work], None]) -> bool:
        """Bring a database to the head by replay; False when it was there already.

        Args:
            check: called when nobody else can change the database's schema any more.

        Raises:
            NotReplayable: a revision that it needs is not proved; nothing was run.
            StampMismatch: the database is another tenant's.
        """
        self._meet(site, place)
        self._path(site.name, work.before)  # so that a database is not locked in vain
        ran: list[Step] = []

        def choose(facts: Facts) -> list[tuple[str, ...]]:
            if facts.stamp != work.tenant_id:
                raise StampMismatch(work.key, expected=work.tenant_id, found=facts.stamp)
            check(work)
            ran.extend(self._path(site.name, facts.revision))
            return [(*step.statements, self._note(step)) for step in ran]

        limits = {"lock_timeout_ms": rollout.lock_timeout_ms, "statement_timeout_ms": rollout.statement_timeout_ms}
        site.provisioner.replay(place, choose, **limits)
        return bool(ran)

    def learn(self, site: Site, dialect: Dialect, recorder: Recorder) -> None:
        """Complete the proof of what Alembic has just run for a tenant."""
        with self._lock:
            self._dialects.setdefault(site.name, dialect)
            known = self.runs.proofs(self.run_id, site.name)
            for revision in recorder.sent.keys() - known.keys():
                try:
                    step = render(self.revisions, dialect, revision)
                    recorder.check(step)
                    self.runs.prove(self.run_id, site.name, revision, digest=step.digest, reason=None)
                except NotReplayable as error:
                    self.runs.prove(self.run_id, site.name, revision, digest=None, reason=str(error))

    def _path(self, server: str, revision: str | None) -> list[Step]:
        if revision is None:
            raise NotReplayable("the database notes no revision")
        if (known := self._paths.get((server, revision))) is not None:
            return known
        found: list[Step] = []
        for missing in self.revisions.missing(revision):
            step = self._step(server, missing)
            if step.before != (found[-1].revision if found else revision):
                raise NotReplayable("the revisions are no single line")
            found.append(step)
        self._paths[server, revision] = found
        return found

    def _step(self, server: str, revision: str) -> Step:
        with self._lock:
            if (server, revision) not in self._steps:
                proof = self.runs.proofs(self.run_id, server).get(revision)
                if proof is None:
                    raise NotReplayable("nothing is known of it yet")
                step = render(self.revisions, self._dialects[server], revision) if proof.digest is not None else None
                self._steps[server, revision] = step if step is not None and step.digest == proof.digest else None
            known = self._steps[server, revision]
        if known is None:
            raise NotReplayable("it was found to differ between tenants, or between processes")
        return known

    def _meet(self, site: Site, place: Place) -> None:
        """Have a dialect that has met the server, and so knows what it can do."""
        if site.name in self._dialects:
            return
        if not self.runs.proofs(self.run_id, site.name):
            raise NotReplayable("nothing is known yet")
        with site.provisioner.owner_connection(place) as connection:
            self._dialects[site.name] = connection.dialect

    def _note(self, step: Step) -> str:
        """Alembic's own note, which finds the revision before or changes nothing; the database was just seen to be there."""
        revision, before = (text.replace("'", "''") for text in (step.revision, step.before))
        # Both come from the scripts' files. A parameter would need a message of its own.
        return f"UPDATE {self.revisions.version_table} SET version_num = '{revision}' WHERE version_num = '{before}'"  # noqa: S608
