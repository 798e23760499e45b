"""The warm pool: databases made before their tenant is known, so that a new tenant costs one transaction in the catalog."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, Engine, delete, func, select, update
from sqlalchemy.orm import Session

from . import faults
from .claim import Claim
from .credentials import Credentials
from .errors import OperationBusy
from .events import Events, SpareDropped, SpareMade
from .key import opaque_name
from .lease import Lease, Leases
from .making import Making
from .models import SpareRow, TemplateRow
from .provisioners import Place, Worker
from .sites import Site, Sites
from .spare_rows import claim_of, row_of
from .templates import Templates

BACK_OFF_MAX_S = 300.0
_log = logging.getLogger(__name__)


class SpareState(StrEnum):
    """Where a spare is in its life; only ready ones are given out."""

    MAKING = "making"
    READY = "ready"
    CONDEMNED = "condemned"


@dataclass(frozen=True, kw_only=True, slots=True)
class SpareStatus:
    """One server's spares.

    Args:
        ready: can be claimed now.
        making: named, but not finished; one whose maker was killed among them.
        outdated: of an older revision, or condemned: never given out, dropped by the next refill.
    """

    server: str
    ready: int
    making: int
    outdated: int


@dataclass(frozen=True, kw_only=True)
class Spares:
    """The spares of every server.

    Args:
        target: how many each server should have ready.
        names: the servers that accept tenants now.
    """

    catalog: Engine
    leases: Leases
    credentials: Credentials
    templates: Templates
    sites: Sites
    events: Events
    clock: Callable[[], datetime]
    target: int
    names: Callable[[], Iterable[str]]

    # ── For hosts ────────────────────────────────────────────────────────

    def refill(self, target: int | None = None, *, server: str | None = None, retire: bool = True) -> int:
        """Make the spares that are missing, and drop those of an older revision: to clone anew is cheaper than to migrate.

        Args:
            target: how many each server should have, >= 0; `Tenancy(spares=...)` when None. More than that are left as they are.
            server: this one only; every one that accepts tenants when None.
            retire: drop what is not given out any more; `sweep` does it otherwise.

        Returns:
            How many were made.

        Raises:
            NoServer: there is none of this name.
            OperationBusy: another process is refilling a server.
            Whatever making a database raises; the next call goes on with the spare that was not finished.

        Effects:
            Creates databases and roles, commits after each. Connects to a server only when something is to be done there.
        """
        wanted = self.target if target is None else target
        return sum(self._refill(name, wanted, retire=retire) for name in ([server] if server is not None else list(self.names())))

    def empty(self, *, server: str | None = None) -> int:
        """Drop every spare, of one server or of all, and return how many; otherwise as `refill`."""
        return sum(self._empty(name) for name in ([server] if server is not None else list(self.sites.by_name)))

    def sweep(self, server: str) -> None:
        """Drop what is not given out any more; another process that is refilling drops it itself."""
        lock = f"spares:{server}"
        with suppress(OperationBusy), self.leases.hold(lock) as lease, self.sites[server].provisioner.work(lock) as worker:
            self._drop_condemned(server, worker, lease)

    def condemned(self, server: str) -> int:
        """How many are not given out any more, and are still to be dropped."""
        return len(self._claims(server, SpareState.CONDEMNED))

    def ready(self, server: str | None = None) -> int:
        """How many spares can be claimed now, on one server or on all."""
        mine = [SpareRow.server == server] if server is not None else []
        with Session(self.catalog) as session:
            return session.scalars(select(func.count()).select_from(SpareRow).where(self._is_claimable(), *mine)).one()

    def status(self) -> list[SpareStatus]:
        """The spares of each server that accepts tenants or has some, by name; read from the catalog."""
        names = list(self.names())
        with Session(self.catalog) as session:
            return self.counted(session.connection(), names)

    def counted(self, connection: Connection, names: Iterable[str]) -> list[SpareStatus]:
        """The spares of these servers and of others that have some, by name; one query."""
        found: dict[str, Counter[str]] = {name: Counter() for name in names}
        is_ready = self._is_claimable().label("is_ready")
        counts = select(SpareRow.server, SpareRow.state, is_ready, func.count()).group_by(SpareRow.server, SpareRow.state, "is_ready")
        for server, state, ready, count in connection.execute(counts):
            kind = "ready" if ready else "making" if state == SpareState.MAKING else "outdated"
            found.setdefault(server, Counter())[kind] += count
        return [
            SpareStatus(server=name, ready=counted["ready"], making=counted["making"], outdated=counted["outdated"])
            for name, counted in sorted(found.items())
        ]

    def keep_filled(self, stop: threading.Event, *, every_s: float = 10.0) -> None:
        """Refill until `stop` is set: for a thread or a worker process of the host's.

        Args:
            every_s: the pause after each round; twice as long after each failure, at most `BACK_OFF_MAX_S`.
        """
        pause = every_s
        while not stop.wait(pause):
            try:
                self.refill()
                pause = every_s
            except OperationBusy:
                pause = every_s
            except Exception:  # noqa: BLE001 -- a server that is away now may be back
                _log.exception("The pool of spare databases could not be refilled")
                pause = min(pause * 2, max(every_s, BACK_OFF_MAX_S))

    # ── For registration ─────────────────────────────────────────────────

    def take(self, session: Session, server: str) -> Claim | None:
        """Take a spare at head within the transaction; None when there is none. If the transaction is rolled back, the spare is back.

        Effects:
            Keeps the server's template from being replaced until the transaction ends: who migrates the fleet sees this tenant, or this
            transaction sees the newer head and takes nothing.
        """
        at_head = (TemplateRow.server == server) & (TemplateRow.revision == self.templates.revisions.head)
        is_ready = select(SpareRow.id).where(SpareRow.server == server, self._is_claimable()).exists()
        if session.scalar(select(TemplateRow.database).where(at_head, is_ready).limit(1).with_for_update(read=True)) is None:
            return None
        mine = (
            select(SpareRow.id)
            .where(SpareRow.server == server, self._is_claimable())
            .order_by(SpareRow.created_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        taken = delete(SpareRow).where(SpareRow.id == mine.scalar_subquery()).returning(*SpareRow.__table__.columns)
        row = session.connection().execute(taken).first()
        faults.point("claim.taken")
        return None if row is None else claim_of(row)

    def put_back(self, session: Session, claim: Claim, *, is_ready: bool) -> None:
        """Undo `take` in a transaction that goes on without a tenant; one that is not ready is dropped by the next refill."""
        session.add(row_of(claim, SpareState.READY if is_ready else SpareState.CONDEMNED))
        session.flush()

    def databases(self) -> set[str]:
        """Every spare's database that the catalog knows, in whatever state."""
        with Session(self.catalog) as session:
            return set(session.scalars(select(SpareRow.database)))

    def _is_claimable(self) -> ColumnElement[bool]:
        return (SpareRow.state == SpareState.READY) & (SpareRow.revision == self.templates.revisions.head)

    # ── Work on one server ───────────────────────────────────────────────

    def _refill(self, server: str, target: int, *, retire: bool) -> int:
        site = self.sites[server]
        outdated = (SpareRow.state == SpareState.READY) & SpareRow.revision.is_distinct_from(self.templates.revisions.head)
        with Session(self.catalog) as session:
            unready = session.scalar(select(SpareRow.id).where(SpareRow.server == server, ~self._is_claimable()).limit(1))
        if unready is None and self.ready(server) >= target:
            return 0
        lock = f"spares:{server}"
        with self.leases.hold(lock) as lease:
            self.templates.ensure(server, site.provisioner, retire=retire)  # from here on nobody claims one of an older revision
            self._condemn(server, outdated, lease)
            if retire:
                self.templates.sweep(server, site.provisioner)
            with site.provisioner.work(lock) as worker:
                if retire:
                    self._drop_condemned(server, worker, lease)
                unfinished = self._claims(server, SpareState.MAKING)
                made = 0
                for number in range(max(target - self.ready(server), len(unfinished))):
                    claim = unfinished[number] if number < len(unfinished) else self._begin(site, lease)
                    self._make(claim, site, worker, lease)
                    made += 1
        return made

    def _empty(self, server: str) -> int:
        site, lock = self.sites[server], f"spares:{server}"
        with self.leases.hold(lock) as lease, site.provisioner.work(lock) as worker:
            self._condemn(server, SpareRow.server == server, lease)
            return self._drop_condemned(server, worker, lease)

    def _condemn(self, server: str, which: ColumnElement[bool], lease: Lease) -> None:
        """Let nobody claim these any more. One that a transaction is taking at this moment stays with it."""
        free = select(SpareRow.id).where(SpareRow.server == server, which).with_for_update(skip_locked=True)
        with Session(self.catalog) as session, session.begin():
            lease.check(session)
            session.execute(update(SpareRow).where(SpareRow.id.in_(free)).values(state=SpareState.CONDEMNED))

    def _drop_condemned(self, server: str, worker: Worker, lease: Lease) -> int:
        dropped = 0
        for claim in self._claims(server, SpareState.CONDEMNED):
            worker.drop_database(claim.database)
            faults.point("spare.database_dropped")
            if not worker.drop_roles(Place(database=claim.database)):
                continue  # something elsewhere belongs to them: the next round tries again
            with Session(self.catalog) as session, session.begin():
                lease.check(session)
                session.execute(delete(SpareRow).where(SpareRow.id == claim.id))
            self.events.tell(SpareDropped(server=server, database=claim.database))
            dropped += 1
        return dropped

    def _begin(self, site: Site, lease: Lease) -> Claim:
        """Write down what is going to be made before it is: whatever a kill leaves behind is accounted for."""
        spare_id, database = uuid.uuid4().hex, opaque_name(self.templates.installation())
        role, sealed = None, None
        if site.provisioner.has_roles:
            role = Place(database=database).logins[0]
            _, sealed = self.credentials.invent(spare_id, role)
        claim = Claim(id=spare_id, server=site.name, database=database, revision="", role=role, sealed=sealed, created_at=self.clock())
        with Session(self.catalog) as session, session.begin():
            lease.check(session)
            session.add(row_of(claim, SpareState.MAKING))
        faults.point("spare.named")
        return claim

    def _make(self, claim: Claim, site: Site, worker: Worker, lease: Lease) -> None:
        place = Place(database=claim.database)
        making = Making(templates=self.templates, site=site, worker=worker, place=place, id=claim.id, title="(spare)")
        if claim.role is not None and claim.sealed is not None:
            worker.make_roles(place, self.credentials.unseal(claim.id, claim.role, claim.sealed))
        faults.point("spare.roles_made")
        making.database()
        faults.point("spare.cloned")
        making.security()
        faults.point("spare.secured")
        revision = making.schema()
        making.stamp()
        worker.leave()
        with Session(self.catalog) as session, session.begin():
            lease.check(session)
            session.execute(update(SpareRow).where(SpareRow.id == claim.id).values(state=SpareState.READY, revision=revision))
        faults.point("spare.ready")
        self.events.tell(SpareMade(server=site.name, database=claim.database))

    def _claims(self, server: str, state: SpareState) -> list[Claim]:
        wanted = select(SpareRow).where(SpareRow.server == server, SpareRow.state == state).order_by(SpareRow.created_at)
        with Session(self.catalog) as session:
            return [claim_of(row) for row in session.scalars(wanted)]
