"""How databases are made and unmade: one module per kind of server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from sqlalchemy import URL, Connection

from ..server import Server


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """The names of one tenant's database and roles; every effect on a server can be found again by them.

    Args:
        database: the database, or the file's stem.
    """

    database: str

    @property
    def owner(self) -> str:
        """The role that owns everything and cannot log in."""
        return f"{self.database}_owner"

    @property
    def runtime(self) -> str:
        """The role that holds the application's rights and cannot log in: they stay when a login is replaced."""
        return f"{self.database}_runtime"

    @property
    def logins(self) -> tuple[str, str]:
        """The roles that the application logs in as, in turn: the first one at first, the other after the next rotation."""
        return f"{self.database}_a", f"{self.database}_b"

    @property
    def roles(self) -> tuple[str, ...]:
        """Every role of the tenant, those with logins first."""
        return *self.logins, self.runtime, self.owner


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """A role with its password in clear: for a connection, never for a log."""

    role: str
    password: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What a database says of itself.

    Args:
        stamp: whose it is; None without one.
        revision: several joined by "+"; None when it notes none.
        invalid_indexes: left half-built by a `CREATE INDEX CONCURRENTLY` that failed.
    """

    stamp: str | None
    revision: str | None
    invalid_indexes: tuple[str, ...] = ()


FACT_SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "tenancy_stamp": "SELECT tenant_id FROM tenancy_stamp ORDER BY 1",
        "alembic_version": "SELECT version_num FROM alembic_version ORDER BY 1",
    }
)
Choose = Callable[[Facts], Sequence[Sequence[str]]]


class Worker(Protocol):
    """Makes and unmakes databases on one server. Every verb may be repeated: what is done already is left or done over."""

    def build_template(self, database: str, upgrade: Callable[[Connection], str]) -> str:
        """Make a new template with the schema that `upgrade` makes, close it to everybody, return its revision."""

    def drop_database(self, database: str) -> None:
        """Drop it with every connection to it; nothing happens when it is not there."""

    def make_roles(self, place: Place, login: Login) -> None:
        """Make the owner, the runtime role and the first login."""

    def make_login(self, place: Place, login: Login) -> None:
        """Make one of the tenant's logins, or give it this password: with the runtime role's rights and the server's settings."""

    def retire_login(self, role: str) -> None:
        """Let nobody log in as this role any more; sessions that are open go on."""

    def is_sound(self, template: str) -> bool:
        """Whether clones of it sort and compare as the server does now; not so after its C library was upgraded."""

    def clone(self, place: Place, template: str, *, tenant_id: str) -> None:
        """Make the tenant's database from the template, still closed to everybody.

        Args:
            tenant_id: for a stamp, where that is cheaper now than later.

        Raises:
            TemplateGone: the template was replaced meanwhile.
        """

    def secure(self, place: Place) -> None:
        """Give the clone to its owner, grant the runtime role its rights, everybody else none; then open it."""

    def facts(self, place: Place) -> Facts:
        """What the secured clone says of itself."""

    def stamp(self, place: Place, tenant_id: str) -> None:
        """Write into the secured clone, which has no stamp yet, whose it is."""

    def as_owner(self, place: Place) -> AbstractContextManager[Connection]:
        """A connection to the secured clone as its owner, as `owner_connection` gives one, and kept for the next call until `leave`."""

    def leave(self) -> None:
        """Close that connection, if there is one; the end of the work does it too."""

    def drop_roles(self, place: Place) -> bool:
        """Drop all its roles; False when something elsewhere still belongs to one of them."""


class Provisioner(Protocol):
    """Reaches one server."""

    @property
    def has_roles(self) -> bool:
        """Whether tenants have database roles of their own."""

    @property
    def is_instant(self) -> bool:
        """Whether a step takes less time here than the catalog takes to record it."""

    def work(self, lock: str) -> AbstractContextManager[Worker]:
        """Hold the lock on the connection that does the work: losing one loses the other.

        Raises:
            OperationBusy: another connection holds it for longer than we wait.
        """

    def owner_connection(self, place: Place) -> AbstractContextManager[Connection]:
        """A connection to the database as its owner, for schema changes; it holds the database's own lock."""

    def facts(self, place: Place) -> Facts:
        """What the database says of itself; connects, locks nothing."""

    def replay(self, place: Place, choose: Choose, *, lock_timeout_ms: int, statement_timeout_ms: int) -> None:
        """Hold the database's own lock, ask it for its facts, and run the statements that `choose` answers with.

        Args:
            choose: the transactions, each a sequence of statements; where files are one transaction, all of them are one.
                Nothing is run when it raises.

        Raises:
            OperationBusy: another connection holds the lock for longer than we wait.
        """

    def url(self, place: Place, login: Login | None) -> URL:
        """Where the application connects to, and as whom; no login where tenants have no roles."""

    def names(self, prefix: str) -> Mapping[str, str]:
        """Databases, files and roles whose name begins so, with what they are."""

    def open_databases(self) -> list[str]:
        """Databases that every role of the server may connect to, tenants' logins among them."""

    def size_bytes(self, database: str) -> int:
        """What it takes on disk."""

    def backlog_bytes(self) -> int:
        """How much was written since the server's last checkpoint: to drop a database takes one, which everybody feels. 0 without."""


def provisioner_for(server: Server) -> Provisioner:
    """The module for the server's kind; psycopg is needed for PostgreSQL only."""
    if server.is_sqlite:
        from .sqlite import SqliteProvisioner

        return SqliteProvisioner(server)
    from .postgresql import PostgresProvisioner

    return PostgresProvisioner(server)
