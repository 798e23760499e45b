"""Exports a tenant as one file that any program can read, and imports such a file as a new tenant, on either kind of server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from ..errors import StampMismatch, TenantUnavailable
from ..events import TenantExported
from ..models import OperationRow
from ..operations import Listener
from ..provisioners import Place
from ..tenant import Tenant
from .clones import CLONED_STATES
from .errors import NewerRevision, NotPortable
from .imports import Import
from .newcomers import Newcomer, begin
from .portable import archive
from .portable.manifest import FORMAT, Manifest, library
from .portable.tables import Reading, Table, books_for
from .undertaking import Undertaking
from .workshop import Workshop

KIND = "import"
BYTES_MAX = 10 << 30
STEPS = ("database", "schema", "data", "verification", "migration", "stamp", "activation")


@dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    """One file.

    Args:
        key, created_at: whose data it is, and of when.
        size_bytes: of the file.
        rows: of all tables.
    """

    path: Path
    key: str
    created_at: datetime
    dialect: str
    revision: str
    tables: int
    rows: int
    size_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportReport:
    """What became of a file."""

    key: str
    server: str
    source: str
    dialect: str
    revision: str
    tables: int
    rows: int


@dataclass(frozen=True, kw_only=True)
class Exports:
    """`Tenancy.exports`."""

    shop: Workshop

    def create(self, key: str, path: Path) -> Export:
        """Write all that a tenant has into a new file, as it is at one moment, while it works.

        Raises:
            UnknownTenant, TenantUnavailable: there is none, or it has no database.
            FileExistsError: something has this name.
            StampMismatch: the database behind the tenant is another's.
            NotPortable: it has what only a backup holds: large objects, virtual tables, rows of more than `archive.LINE_BYTES_MAX` bytes.

        Effects:
            One read transaction; a few rows at a time in memory. The file has its name only when it is whole.
        """
        tenant = self.shop.of.registry.fresh(key)
        if tenant.state not in CLONED_STATES or tenant.database is None:
            raise TenantUnavailable(key, tenant.state)
        books = books_for(self.shop.of.sites[tenant.server].server)
        spans = self.shop.of.spans
        with (
            spans.span("export", tenant=key),
            archive.writing(Path(path)) as writer,
            books.reading(Place(database=tenant.database)) as found,
        ):
            if found.tenant_id != tenant.id:
                raise StampMismatch(key, expected=tenant.id, found=found.tenant_id)
            writer.manifest(self._manifest(tenant, books.dialect, found, writer))
        made = self.check(path)
        self.shop.of.events.tell(TenantExported(tenant=tenant, rows=made.rows, size_bytes=made.size_bytes))
        return made

    def check(self, path: Path, *, bytes_max: int = BYTES_MAX) -> Export:
        """Read a file from end to end, and say what it is.

        Args:
            bytes_max: how long its tables may be together when they are unpacked, bytes.

        Raises:
            FileNotFoundError: there is none.
            ExportDamaged: it is no export, was altered or cut short, or is longer than allowed.
        """
        path = Path(path)
        with archive.reading(path, bytes_max=bytes_max) as found:
            found.check()
            return _export(path, found.manifest)

    def load(
        self,
        path: Path,
        key: str,
        *,
        domains: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        region: str | None = None,
        bytes_max: int = BYTES_MAX,
        on_step: Listener | None = None,
    ) -> ImportReport:
        """Make a new tenant of a file, on PostgreSQL or SQLite wherever it comes from; it is read to its end before anything is made.

        The migrations make the tables, up to the file's revision; they are filled, compared with the file, and migrated to the head.

        Args:
            domains, metadata, region: as in `Tenancy.register`.
            bytes_max: as for `check`.

        Raises:
            FileNotFoundError, ExportDamaged: as for `check`.
            NewerRevision: the file is of newer migrations.
            TenantExists, BadKey, DomainTaken, BadHost, NoServer: as in `Tenancy.register`.
            OperationFailed: a step failed, as when the other kind of server cannot keep a value: nothing is left, or `resume` goes on.

        Effects:
            Commits. The tenant becomes active with the last step; its database carries its stamp only once all was compared.
        """
        with archive.reading(Path(path), bytes_max=bytes_max) as found:
            if not self.shop.has_revision(found.manifest.revision):
                raise NewerRevision(str(path), found.manifest.revision)
            found.check()
            facts = {"path": str(Path(path).resolve()), "digest": found.digest, "bytes_max": bytes_max, "source": found.manifest.key}
        wishes = {"domains": domains, "metadata": metadata, "region": region}
        return self._run(begin(self.shop.of, key, KIND, steps=STEPS, facts=facts, wishes=wishes, is_sqlite=None), on_step)

    def resume(self, key: str) -> ImportReport:
        """Go on with the import that was to get this key and was interrupted; the file must still be where it was.

        Raises:
            OperationBusy: there is none, or another process is at it.
            Otherwise: as `load`.
        """
        return self._run(self.shop.of.registry.fresh(key), None)

    def _manifest(self, tenant: Tenant, dialect: str, found: Reading, writer: archive.Writer) -> Manifest:
        if found.revision is None:
            raise NotPortable(tenant.key, "its database notes no revision")
        tables = [self._table(number, table, found, writer) for number, table in enumerate(found.tables)]
        facts = {"dialect": dialect, "revision": found.revision, "tenant_id": tenant.id, "key": tenant.key, "library": library()}
        counters = [asdict(each) for each in found.counters]
        return Manifest.model_validate(
            {"format": FORMAT, "created_at": self.shop.of.clock(), "tables": tables, "counters": counters, **facts}
        )

    @staticmethod
    def _table(number: int, table: Table, found: Reading, writer: archive.Writer) -> dict[str, Any]:
        file = f"data/{number:05}.ndjson"
        columns = [{"name": column.name, "kind": column.kind} for column in table.columns]
        return {"name": table.name, "file": file, "columns": columns, **writer.table(file, table.columns, found.rows(table))}

    def _run(self, tenant: Tenant, on_step: Listener | None) -> ImportReport:
        undertaking = Undertaking(of=self.shop.of, kind=KIND)
        with undertaking.held(tenant, None, on_step) as attempt:
            site = self.shop.of.sites[attempt.details["server"]]
            with site.provisioner.work(attempt.lease.name) as worker:
                newcomer = Newcomer(of=self.shop.of, attempt=attempt, made=self.shop.replacement(attempt, worker))
                undertaking.run(attempt, Import(shop=self.shop, newcomer=newcomer))
            with Session(self.shop.of.catalog) as session:
                facts = session.get_one(OperationRow, attempt.id).details
        return ImportReport(
            key=tenant.key,
            server=facts["server"],
            source=facts["source"],
            dialect=facts["dialect"],
            revision=facts["revision"],
            tables=len(facts["given"]),
            rows=sum(rows for rows, _ in facts["given"].values()),
        )


def _export(path: Path, manifest: Manifest) -> Export:
    facts = {name: getattr(manifest, name) for name in ("key", "created_at", "dialect", "revision", "rows")}
    return Export(path=path, tables=len(manifest.tables), size_bytes=path.stat().st_size, **facts)
