"""PostgreSQL: pg_dump and pg_restore in a pipe, checksums made by the server, doors that its own access control keeps."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ... import faults
from ...provisioners import Place
from ...server import Server
from ..contents import Contents
from ..tools import Tools
from . import Door, Snapshot
from .tables import contents_of, first_of

CHUNK_BYTES = 1 << 20
END_WAIT_S = 30.0
_READ_ONLY = {Door.OPEN: False, Door.READ_ONLY: True, Door.CLOSED: False, Door.FENCED: True, Door.RETIRED: True}
_SESSIONS = "FROM pg_stat_activity WHERE datname = %s AND usename = ANY(%s) AND backend_type = 'client backend'"


@dataclass(frozen=True)
class PostgresCopier:
    """See `Copier`."""

    server: Server
    tools: Tools

    @contextmanager
    def snapshot(self, place: Place, *, is_compressed: bool) -> Iterator[Snapshot]:
        """See `Copier.snapshot`. One exported snapshot is read by pg_dump and by the checksums: they see the same moment."""
        with self._connect(place.database) as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            (exported,) = connection.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
            facts: dict[str, Any] = {
                "tenant_id": first_of(connection, "tenancy_stamp", "tenant_id"),
                "revision": first_of(connection, "alembic_version", "version_num"),
                "contents": contents_of(connection),
            }
            options = [f"--snapshot={exported}", f"--role={place.owner}", *([] if is_compressed else ["--compress=0"])]
            with self._program("pg_dump", place, connection, *options, stdout=subprocess.PIPE) as process:
                yield Snapshot(kind="pg_dump", chunks=_read(process.stdout), **facts)
            connection.execute("ROLLBACK")

    def prepare(self, place: Place) -> None:
        """See `Copier.prepare`."""
        with self._connect() as admin:
            admin.execute(_sql("DROP DATABASE IF EXISTS {} WITH (FORCE)", place.database))
            faults.point("prepare.dropped")
            admin.execute(_sql("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' OWNER {}", place.database, place.owner))
            admin.execute(_sql("REVOKE ALL ON DATABASE {} FROM PUBLIC", place.database))
        with self._connect(place.database) as inside:
            inside.execute(_sql("ALTER SCHEMA public OWNER TO {}", place.owner))
            inside.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")

    def load(self, place: Place, kind: str, chunks: Iterable[bytes]) -> None:
        """See `Copier.load`."""
        if kind != "pg_dump":
            raise ValueError(f"A {kind} cannot be loaded into PostgreSQL.")
        with (
            self._connect(place.database) as connection,
            self._program("pg_restore", place, connection, f"--role={place.owner}", "--exit-on-error", stdin=subprocess.PIPE) as process,
        ):
            assert process.stdin is not None
            try:
                for chunk in chunks:
                    process.stdin.write(chunk)
                process.stdin.close()
            except BrokenPipeError:
                pass  # why it ended is told when its exit is looked at

    def contents(self, place: Place) -> Contents:
        """See `Copier.contents`."""
        with self._connect(place.database) as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return contents_of(connection)

    def owner_of(self, place: Place) -> str | None:
        """See `Copier.owner_of`."""
        with self._connect(place.database) as connection:
            return first_of(connection, "tenancy_stamp", "tenant_id")

    def set_door(self, place: Place, door: Door) -> None:
        """See `Copier.set_door`. The setting is the database's, so that a login made later obeys it too."""
        with self._connect() as admin:
            if admin.execute("SELECT FROM pg_database WHERE datname = %s", [place.database]).fetchone() is None:
                return
            if _READ_ONLY[door]:
                admin.execute(_sql("ALTER DATABASE {} SET default_transaction_read_only = on", place.database))
            else:
                admin.execute(_sql("ALTER DATABASE {} RESET default_transaction_read_only", place.database))
            verb = "REVOKE CONNECT ON DATABASE {} FROM {}" if door in (Door.CLOSED, Door.RETIRED) else "GRANT CONNECT ON DATABASE {} TO {}"
            admin.execute(_sql(verb, place.database, place.runtime))
            faults.point("door.told")
            _end_sessions(admin, place)  # a session keeps what it was told as it began, also when the door opens

    def remains(self, place: Place) -> list[str]:
        """See `Copier.remains`."""
        query = "SELECT datname FROM pg_database WHERE datname = %s UNION SELECT rolname FROM pg_roles WHERE rolname = ANY(%s) ORDER BY 1"
        with self._connect() as admin:
            return [name for (name,) in admin.execute(query, [place.database, list(place.roles)]).fetchall()]

    def _connect(self, database: str | None = None) -> psycopg.Connection[Any]:
        return psycopg.connect(**self._parts(database), autocommit=True, application_name="roomtone_tenancy", connect_timeout=10)

    def _parts(self, database: str | None) -> dict[str, Any]:  # libpq's options
        url = self.server.parsed if database is None else self.server.parsed.set(database=database)
        return {**url.translate_connect_args(database="dbname", username="user"), **url.query}

    @contextmanager
    def _program(
        self, name: str, place: Place, connection: psycopg.Connection[Any], *options: str, **pipes: Any
    ) -> Iterator[subprocess.Popen[bytes]]:  # pipes are Popen's
        """Run it, and look at how it ended. The password goes by the environment: a command line is everybody's to read."""
        program = self.tools.find(name, server_major=connection.info.server_version // 10_000)
        parts = self._parts(place.database)
        environment = {**os.environ, "PGPASSWORD": str(parts.pop("password", "") or ""), "PGCONNECT_TIMEOUT": "10"}
        arguments = [str(program), "--format=custom", "--no-owner", "--no-privileges", f"--dbname={make_conninfo(**parts)}", *options]
        with tempfile.TemporaryFile() as said, subprocess.Popen(arguments, stderr=said, env=environment, text=False, **pipes) as process:
            try:
                yield process
                _drain(process.stdout)
                ended = process.wait(END_WAIT_S)
            except BaseException:
                process.kill()
                raise
            if ended != 0:
                said.seek(0)
                raise RuntimeError(f"{name} ended with {ended}: {said.read(4000).decode(errors='replace').strip()}")


def _end_sessions(admin: psycopg.Connection[Any], place: Place) -> None:
    """End every session of the tenant's logins and wait until none is left that began before now."""
    deadline = time.monotonic() + END_WAIT_S
    (now,) = admin.execute("SELECT clock_timestamp()").fetchone() or (None,)
    names = [place.database, list(place.logins)]
    while admin.execute(f"SELECT count(*) {_SESSIONS} AND backend_start <= %s", [*names, now]).fetchone() != (0,):
        admin.execute(f"SELECT pg_terminate_backend(pid, 1000) {_SESSIONS} AND backend_start <= %s", [*names, now])
        if time.monotonic() > deadline:
            raise TimeoutError(f"sessions of {place.database} do not end")


def _read(stream: IO[bytes] | None) -> Iterator[bytes]:
    assert stream is not None
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def _drain(stream: IO[bytes] | None) -> None:
    for _ in _read(stream) if stream is not None and not stream.closed else ():
        pass


def _sql(statement: str, *names: str) -> sql.Composed:
    return sql.SQL(statement).format(*map(sql.Identifier, names))
