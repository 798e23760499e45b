"""The servers that tenants live on: given in code, or kept in the catalog and changed while processes run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal

from sqlalchemy import CompoundSelect, Connection, bindparam, false, func, null, select, union_all, update
from sqlalchemy.orm import Session

from . import places
from .changes import EVERYTHING, Change
from .errors import CatalogUnavailable, NoServer, ServerDisabled, ServerExists
from .insertion import insert_if_absent
from .lifecycle import TenantState
from .lookups import Lookups
from .models import ServerRow, TenantRow
from .placement import Candidate, Placement, Wish, choose, refusal
from .server import Server, ServerState
from .vault import Sealed, Vault

PLACE_ATTEMPTS_MAX = 10  # each finds a server that was full only by then
_SEALED = ("url", "settings", "runtime_url", "pooling")


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerStatus:
    """A server as its operator sees it.

    Args:
        tenants: how many it has, those half-made included.
        source: "code" when `Tenancy(servers=...)` gives it, "catalog" when its address is sealed there, "nowhere" when it was given in
            code once and is not any more: nobody reaches its tenants.
    """

    name: str
    state: ServerState
    capacity: int
    regions: tuple[str, ...]
    tenants: int
    source: Literal["code", "catalog", "nowhere"]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    name: str
    state: ServerState
    server: Server | None


class Servers:
    """`Tenancy.servers`. What code gives, code decides; the catalog knows a server's state in any case, and all of those added to it.

    Args:
        given: the servers in code.
        vault: seals the addresses of the others.
        placement: chooses a server for a new tenant.
    """

    def __init__(
        self, lookups: Lookups, *, given: Sequence[Server], vault: Vault, clock: Callable[[], datetime], placement: Placement
    ) -> None:
        self._lookups, self._vault, self._clock, self._placement = lookups, vault, clock, placement
        self._given = {server.name: server for server in given}
        self._cache = lookups.cache(_name_of)
        lookups.changes.subscribe(self._hear, self._cache.expire)

    # ── For operators: these flush, the host commits ─────────────────────

    def add(self, session: Session, server: Server) -> None:
        """Add a server that code does not give. Its address is sealed; every process reaches it at first need.

        Raises:
            ServerExists: one of this name is known.
        """
        sealed = self._seal(server)
        values = {
            "name": server.name,
            "state": ServerState.ACCEPTING,
            "capacity": server.capacity,
            "regions": list(server.regions),
            "key_id": sealed.key_id,
            "secret": sealed.data,
            "created_at": self._clock(),
            "updated_at": self._clock(),
        }
        if server.name in self._given or not insert_if_absent(session.connection(), ServerRow, **values):
            raise ServerExists(server.name)
        self._changed(session, server.name)

    def change(self, session: Session, server: Server) -> None:
        """Replace a server's address, capacity, regions and settings. New connections go to the new address, lent ones end their work.

        Raises:
            NoServer: the catalog has none of this name.
            ValueError: code gives it: change it there.
        """
        if server.name in self._given:
            raise ValueError(f"The server {server.name!r} is given by Tenancy(servers=...): change it there.")
        row, sealed = self._row(session, server.name), self._seal(server)
        row.capacity, row.regions = server.capacity, list(server.regions)
        row.key_id, row.secret, row.updated_at = sealed.key_id, sealed.data, self._clock()
        self._changed(session, server.name)

    def accept(self, session: Session, name: str) -> None:
        """Let it take new tenants again.

        Raises:
            NoServer: neither code nor the catalog has one of this name.
        """
        self._set_state(session, name, ServerState.ACCEPTING)

    def drain(self, session: Session, name: str) -> None:
        """Place no new tenants on it, after those that are just being placed; those that it has go on. Otherwise as `accept`."""
        self._set_state(session, name, ServerState.DRAINING)

    def disable(self, session: Session, name: str) -> None:
        """Give no sessions on it and make nothing on it; sessions given before go on. Otherwise as `accept`."""
        self._set_state(session, name, ServerState.DISABLED)

    def list(self) -> tuple[ServerStatus, ...]:
        """All of them by name, read from the catalog."""

        return self._lookups.read(lambda connection: tuple(self._statuses(connection)))

    # ── For this package ─────────────────────────────────────────────────

    def find(self, name: str) -> Server | None:
        """The server as it is now, from memory as a rule; None when there is none.

        Raises:
            ServerDisabled: it is switched off.
            CatalogUnavailable: code does not give it, and the catalog cannot be asked.
        """
        given = self._given.get(name)
        try:
            known = self._cache.get(name, lambda: self._read(name))
        except CatalogUnavailable:
            if given is None:
                raise
            return given  # only its state is unknown
        if known is None:
            return given
        if known.state is ServerState.DISABLED:
            raise ServerDisabled(name)
        return known.server

    def names(self) -> Sequence[str]:
        """Those that can be worked on now."""
        return [each.name for each in self.list() if each.state is not ServerState.DISABLED and each.source != "nowhere"]

    def place(self, session: Session, wish: Wish) -> str:
        """The server for a new tenant, which has a place for it until the transaction ends; see `places.take` for who waits.

        Raises:
            NoServer: none can take it; it says why.
        """
        connection = session.connection()
        if connection.dialect.name == "sqlite":  # whoever writes first holds the whole catalog, so that what is counted stays
            connection.execute(_LOCK)
        for _ in range(PLACE_ATTEMPTS_MAX):
            candidates = {each.name: each for each in self._candidates(connection)}
            name, refusals = choose(list(candidates.values()), wish, self._placement)
            if name is None:
                raise NoServer(refusals=refusals)
            if places.take(connection, name, partial(self._room, connection, name, wish), expected=candidates[name].free):
                return name
        raise NoServer(refusals={"full by the time it was chosen": PLACE_ATTEMPTS_MAX})

    def _candidates(self, connection: Connection, only: str | None = None) -> Sequence[Candidate]:
        return [
            Candidate(name=each.name, state=each.state, capacity=each.capacity, regions=each.regions, tenants=each.tenants)
            for each in self._statuses(connection, only)
            if each.source != "nowhere"
        ]

    def _room(self, connection: Connection, name: str, wish: Wish) -> int:
        return sum(each.free for each in self._candidates(connection, name) if refusal(each, wish) is None)

    def _statuses(self, connection: Connection, only: str | None = None) -> Sequence[ServerStatus]:
        found: Sequence[Any] = connection.execute(_ALL if only is None else _ONE, {} if only is None else {"only": only}).all()
        rows, counts = ({row.name: row for row in found if (row.tenants is None) is is_row} for is_row in (True, False))
        names = {only} if only is not None else rows.keys() | self._given.keys() | counts.keys() - {None}
        return [self._status(name, rows.get(name), counts[name].tenants if name in counts else 0) for name in sorted(names)]

    def _status(self, name: str, row: Any, tenants: int) -> ServerStatus:  # a row of _ROWS, or None
        known = self._given.get(name) or row
        return ServerStatus(
            name=name,
            state=ServerState(row.state) if row is not None else ServerState.ACCEPTING,
            capacity=known.capacity if known is not None else 0,
            regions=tuple(known.regions) if known is not None else (),
            tenants=tenants,
            source="code" if name in self._given else "catalog" if row is not None and row.is_sealed else "nowhere",
        )

    def _read(self, name: str) -> _Known | None:
        query = select(ServerRow.__table__).where(ServerRow.name == name)
        row = self._lookups.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            return None
        server = self._given.get(name) or (self._open(row) if row.secret is not None else None)
        return _Known(name=name, state=ServerState(row.state), server=server)

    def _set_state(self, session: Session, name: str, state: ServerState) -> None:
        if name in self._given:
            self._ensure_row(session, self._given[name])
        places.wait_for_all(session.connection(), name)
        row = self._row(session, name)
        row.state, row.updated_at = state, self._clock()
        self._changed(session, name)

    def _row(self, session: Session, name: str) -> ServerRow:
        row = session.get(ServerRow, name, with_for_update=True, populate_existing=True)
        if row is None:
            raise NoServer(name)
        return row

    def _ensure_row(self, session: Session, server: Server) -> None:
        """A row for a server in code, for its state."""
        values = {"capacity": server.capacity, "regions": list(server.regions), "created_at": self._clock(), "updated_at": self._clock()}
        insert_if_absent(session.connection(), ServerRow, name=server.name, state=ServerState.ACCEPTING, **values)

    def _changed(self, session: Session, name: str) -> None:
        session.flush()
        self._lookups.changes.publish_after(session, Change(server=name))

    def _hear(self, change: Change) -> None:
        if change == EVERYTHING:
            self._cache.clear()
        elif change.server is not None:
            self._cache.drop(change.server)

    def _seal(self, server: Server) -> Sealed:
        secret = {name: getattr(server, name) for name in _SEALED} | {"settings": dict(server.settings)}
        return self._vault.seal(json.dumps(secret), tenant=server.name, table=ServerRow.__tablename__, column="secret")

    def _open(self, row: Any) -> Server:
        sealed = Sealed(key_id=row.key_id, data=row.secret)
        opened: Mapping[str, Any] = json.loads(self._vault.open(sealed, tenant=row.name, table=ServerRow.__tablename__, column="secret"))
        return Server(name=row.name, capacity=row.capacity, regions=tuple(row.regions), **opened)


# Asked together: what is known of each server, and how many tenants each has, also one that is given in code alone.
_ROWS = select(
    ServerRow.name, ServerRow.state, ServerRow.capacity, ServerRow.regions, ServerRow.secret.is_not(None).label("is_sealed"),
    null().label("tenants"),
)  # fmt: skip
_COUNTS = (
    select(TenantRow.server, null(), null(), null(), false(), func.count())
    .where(TenantRow.state != TenantState.DELETED)
    .group_by(TenantRow.server)
)
_ALL: CompoundSelect[Any] = union_all(_ROWS, _COUNTS)
_ONE: CompoundSelect[Any] = union_all(
    _ROWS.where(ServerRow.name == bindparam("only")), _COUNTS.where(TenantRow.server == bindparam("only"))
)
_LOCK = update(ServerRow).values(name=ServerRow.name)


def _name_of(known: _Known) -> str:
    return known.name
