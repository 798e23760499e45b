"""How databases are read whole, filled and shut: one module per kind of server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ...provisioners import Place
from ...server import Server
from ..contents import Contents
from ..tools import Tools


class Door(StrEnum):
    """Whom a tenant's database lets in. Administrators and migrations always.

    Fenced is read-only for the time of an operation: a file refuses then too, whoever writes.
    """

    OPEN = "open"
    READ_ONLY = "read_only"
    CLOSED = "closed"
    FENCED = "fenced"
    RETIRED = "retired"


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """A database at one moment.

    Args:
        kind: what `chunks` is: "pg_dump" or "sqlite".
        contents: rows and checksums of every table at that moment.
        chunks: all of it; can be read once.
    """

    kind: str
    tenant_id: str | None
    revision: str | None
    contents: Contents
    chunks: Iterator[bytes]


class Copier(Protocol):
    """Reads and fills databases of one server. Everything but `snapshot` may be repeated."""

    def snapshot(self, place: Place, *, is_compressed: bool) -> AbstractContextManager[Snapshot]:
        """The database as it is now, while others write on."""

    def prepare(self, place: Place) -> None:
        """Make it anew: empty, its owner's, open to nobody else. What was there before is dropped."""

    def load(self, place: Place, kind: str, chunks: Iterable[bytes]) -> None:
        """Fill what `prepare` made."""

    def contents(self, place: Place) -> Contents:
        """Rows and checksums of every table now."""

    def owner_of(self, place: Place) -> str | None:
        """The tenant's id in the stamp; None when there is no stamp."""

    def set_door(self, place: Place, door: Door) -> None:
        """Let in as the door says. Sessions that began under the former one are ended, and waited for."""

    def remains(self, place: Place) -> list[str]:
        """Names of what is still there of the database and its roles."""


def copier_for(server: Server, tools: Tools) -> Copier:
    """The module for the server's kind."""
    if server.is_sqlite:
        from .sqlite import SqliteCopier

        return SqliteCopier(server)
    from .postgresql import PostgresCopier

    return PostgresCopier(server, tools)
