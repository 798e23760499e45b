"""How databases are made and unmade: one module per kind of server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
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
    def login(self) -> str:
        """The role that the application logs in as."""
        return f"{self.database}_a"


class Worker(Protocol):
    """Makes and unmakes databases on one server. Every verb may be repeated: what is done already is left or done over."""

    def build_template(self, database: str, upgrade: Callable[[Connection], str]) -> str:
        """Make a new template with the schema that `upgrade` makes, close it to everybody, return its revision."""

    def drop_database(self, database: str) -> None:
        """Drop it with every connection to it; nothing happens when it is not there."""

    def make_roles(self, place: Place, password: str) -> None:
        """Make the owner and the login role, with this password."""

    def clone(self, place: Place, template: str) -> None:
        """Make the tenant's database from the template, still closed to everybody.

        Raises:
            TemplateGone: the template was replaced meanwhile.
        """

    def secure(self, place: Place) -> None:
        """Give the clone to its owner, grant the login role its rights, everybody else none; then open it."""

    def drop_roles(self, place: Place) -> bool:
        """Drop both roles; False when something elsewhere still belongs to one of them."""


class Provisioner(Protocol):
    """Reaches one server."""

    @property
    def has_roles(self) -> bool:
        """Whether tenants have database roles of their own."""

    def work(self, lock: str) -> AbstractContextManager[Worker]:
        """Hold the lock on the connection that does the work: losing one loses the other.

        Raises:
            OperationBusy: another connection holds it for longer than we wait.
        """

    def owner_connection(self, place: Place) -> AbstractContextManager[Connection]:
        """A connection to the database as its owner, for schema changes; it holds the database's own lock."""

    def url(self, place: Place, password: str | None) -> URL:
        """Where the application connects to."""

    def names(self, prefix: str) -> Mapping[str, str]:
        """Databases, files and roles whose name begins so, with what they are."""

    def size_bytes(self, database: str) -> int:
        """What it takes on disk."""


def provisioner_for(server: Server) -> Provisioner:
    """The module for the server's kind; psycopg is needed for PostgreSQL only."""
    if server.is_sqlite:
        from .sqlite import SqliteProvisioner

        return SqliteProvisioner(server)
    from .postgresql import PostgresProvisioner

    return PostgresProvisioner(server)
