"""PostgreSQL: a database, an owner, a runtime role and two logins per tenant, cloned from a template that nobody can open."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg
from psycopg import errors as pg
from psycopg import sql
from sqlalchemy import URL, Connection, NullPool, create_engine, event, insert

from .. import faults
from ..errors import OperationBusy, TemplateGone
from ..server import Server
from . import Choose, Facts, Login, Place
from .replaying import facts_of, replay
from .rights import grant_rights, quoted
from .scram import Scram
from .stamp import STAMP

LOCK_WAIT_S = 10
_LOCK_KEY = "hashtextextended(%s, 0)"


def connect(url: URL, **options: Any) -> psycopg.Connection:  # options are libpq's
    """A connection that commits each statement; closed at the end of its `with`."""
    parts = url.translate_connect_args(database="dbname", username="user")
    return psycopg.connect(**{**parts, **url.query, "autocommit": True, "application_name": "roomtone_tenancy", **options})


def _lock(connection: psycopg.Connection, name: str) -> None:
    """Take a lock that lives as long as the connection. A killed worker's backend may still be ending: wait a little."""
    try:
        connection.execute(f"SET lock_timeout = '{LOCK_WAIT_S}s'")
        connection.execute(f"SELECT pg_advisory_lock({_LOCK_KEY})", [name])
        connection.execute("SET lock_timeout = '60s'")
    except pg.LockNotAvailable as error:
        raise OperationBusy(name, owner="another connection to the same server") from error


@dataclass(frozen=True)
class PostgresProvisioner:
    """One PostgreSQL server, reached as a role that may create databases and roles."""

    server: Server
    scram: Scram = field(default_factory=Scram, init=False, repr=False, compare=False)

    @property
    def has_roles(self) -> bool:
        """Yes: four for each tenant, one login of which is made at its first rotation only."""
        return True

    @property
    def is_instant(self) -> bool:
        """No."""
        return False

    @contextmanager
    def work(self, lock: str) -> Iterator[PostgresWorker]:
        """See `Provisioner.work`."""
        with connect(self.server.parsed) as admin:
            _lock(admin, lock)
            worker = PostgresWorker(self.server, admin)
            try:
                yield worker
            finally:
                worker.leave()

    def owner_connection(self, place: Place) -> Connection:
        """See `Provisioner.owner_connection`. Logs in as the administrator and takes the owner's role: owners have no password."""
        return _connect_as(self.server, place.database, place.owner)

    def facts(self, place: Place) -> Facts:
        """See `Provisioner.facts`."""
        with self._inside(place) as inside:
            return facts_of(inside)

    def replay(self, place: Place, choose: Choose, *, lock_timeout_ms: int, statement_timeout_ms: int) -> None:
        """See `Provisioner.replay`."""
        with self._inside(place) as inside:
            replay(inside, place, choose, wait_s=LOCK_WAIT_S, lock_timeout_ms=lock_timeout_ms, statement_timeout_ms=statement_timeout_ms)

    def _inside(self, place: Place) -> psycopg.Connection:
        """The administrator's connection to a tenant's database."""
        return self.scram.connect(partial(connect, self.server.parsed.set(database=place.database)), self.server.parsed.password)

    def url(self, place: Place, login: Login | None) -> URL:
        """See `Provisioner.url`. Without a login the administrator's name must not slip through."""
        username, password = (login.role, login.password) if login is not None else (place.logins[0], "")
        return self.server.runtime.set(username=username, password=password, database=place.database)

    def names(self, prefix: str) -> Mapping[str, str]:
        """See `Provisioner.names`."""
        query = (
            "SELECT datname, 'database' FROM pg_database WHERE starts_with(datname, %(prefix)s) "
            "UNION ALL SELECT rolname, 'role' FROM pg_roles WHERE starts_with(rolname, %(prefix)s)"
        )
        with connect(self.server.parsed) as admin:
            return dict(admin.execute(query, {"prefix": prefix}).fetchall())

    def open_databases(self) -> list[str]:
        """See `Provisioner.open_databases`."""
        query = (
            "SELECT datname FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) AS acl "
            "WHERE datallowconn AND acl.grantee = 0 AND acl.privilege_type = 'CONNECT' ORDER BY datname"
        )
        with connect(self.server.parsed) as admin:
            return [name for (name,) in admin.execute(query).fetchall()]

    def size_bytes(self, database: str) -> int:
        """See `Provisioner.size_bytes`."""
        with connect(self.server.parsed) as admin:
            return sum(size for (size,) in admin.execute("SELECT pg_database_size(%s)", [database]).fetchall())

    def backlog_bytes(self) -> int:
        """See `Provisioner.backlog_bytes`."""
        with connect(self.server.parsed) as admin:
            row = admin.execute("SELECT pg_current_wal_insert_lsn() - redo_lsn FROM pg_control_checkpoint()").fetchone()
        return int(row[0]) if row is not None else 0


def _connect_as(server: Server, database: str, role: str) -> Connection:
    """The administrator's connection, turned into the role and holding the lock on the database's schema."""
    engine = create_engine(server.parsed.set(database=database), poolclass=NullPool, hide_parameters=True)
    event.listen(engine, "connect", lambda connection, _: _become(connection, role))
    return engine.connect()


def _become(connection: psycopg.Connection, role: str) -> None:
    connection.execute(quoted("SET ROLE {}", role))
    connection.execute(f"SET lock_timeout = '{LOCK_WAIT_S}s'; SET default_transaction_read_only = off")
    connection.execute(f"SELECT pg_advisory_lock({_LOCK_KEY})", ["schema"])
    connection.commit()


class PostgresWorker:
    """See `Worker`."""

    def __init__(self, server: Server, admin: psycopg.Connection) -> None:
        self.server, self.admin = server, admin
        self._inside: tuple[str, Connection] | None = None

    def build_template(self, database: str, upgrade: Callable[[Connection], str]) -> str:
        """See `Worker.build_template`. Its objects belong to a role that owns no database, so that clones can be handed over."""
        maker = Place(database=database).owner
        self._make_role(maker)
        if not self._exists(database):
            self._do("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'", database)
        faults.point("template.created")
        self._do("REVOKE ALL ON DATABASE {} FROM PUBLIC", database)
        self._do("GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {} TO {}", database, maker)
        with connect(self.server.parsed.set(database=database)) as inside:
            inside.execute(quoted("ALTER SCHEMA public OWNER TO {}", maker))
            inside.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        with _connect_as(self.server, database, maker) as connection:
            revision = upgrade(connection)
        faults.point("template.migrated")
        self._do("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false IS_TEMPLATE true", database)
        return revision

    def drop_database(self, database: str) -> None:
        """See `Worker.drop_database`."""
        if self._exists(database):
            self._do("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false IS_TEMPLATE false", database)
            faults.point("drop.closed")
            self._do("DROP DATABASE {} WITH (FORCE)", database)

    def make_roles(self, place: Place, login: Login) -> None:
        """See `Worker.make_roles`."""
        with self.admin.transaction():
            self._make_role(place.owner)
            if not self._role_exists(place.runtime):
                self._do("CREATE ROLE {} NOLOGIN", place.runtime)
            self._make_login(place, login)

    def make_login(self, place: Place, login: Login) -> None:
        """See `Worker.make_login`."""
        self._make_login(place, login)
        self._apply_settings(place, login.role)

    def retire_login(self, role: str) -> None:
        """See `Worker.retire_login`."""
        if self._role_exists(role):
            self._do("ALTER ROLE {} NOLOGIN PASSWORD NULL", role)

    def is_sound(self, template: str) -> bool:
        """See `Worker.is_sound`. PostgreSQL refuses to clone a template whose collation it knows under another version."""
        query = "SELECT datcollversion IS NOT DISTINCT FROM pg_database_collation_actual_version(oid) FROM pg_database WHERE datname = %s"
        row = self.admin.execute(query, [template]).fetchone()
        return row is None or bool(row[0])

    def clone(self, place: Place, template: str, *, tenant_id: str) -> None:  # noqa: ARG002 -- `stamp` is as cheap
        """See `Worker.clone`. An empty schema's pages in the log cost less than the two checkpoints of `FILE_COPY`."""
        if self._exists(place.database):
            return
        statement = "CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY wal_log ALLOW_CONNECTIONS false"
        try:
            self._do(statement, place.database, template, place.owner)
        except (pg.InvalidCatalogName, pg.ObjectInUse) as error:
            raise TemplateGone(template) from error

    def secure(self, place: Place) -> None:
        """See `Worker.secure`. A clone inherits neither the database's rights nor its settings."""
        database, runtime = place.database, place.runtime
        with self.admin.transaction():
            self._do("REVOKE ALL ON DATABASE {} FROM PUBLIC", database)
            self._do("GRANT CONNECT ON DATABASE {} TO {}", database, runtime)
            self._apply_settings(place, place.logins[0])
            self._do("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true IS_TEMPLATE false", database)
        faults.point("security.opened")
        self.leave()
        connection = create_engine(self.server.parsed.set(database=database), poolclass=NullPool, hide_parameters=True).connect()
        self._inside = (database, connection)
        driver: Any = connection.connection.driver_connection  # psycopg's connection
        grant_rights(driver, place)
        _become(driver, place.owner)

    def facts(self, place: Place) -> Facts:
        """See `Worker.facts`."""
        with self.as_owner(place) as connection:
            driver: Any = connection.connection.driver_connection  # psycopg's connection
            found = facts_of(driver)
            driver.rollback()
            return found

    def stamp(self, place: Place, tenant_id: str) -> None:
        """See `Worker.stamp`."""
        with self.as_owner(place) as connection:
            connection.execute(insert(STAMP), {"tenant_id": tenant_id})
            connection.commit()

    @contextmanager
    def as_owner(self, place: Place) -> Iterator[Connection]:
        """See `Worker.as_owner`. To connect to a new database takes longer than what is to be done there."""
        if self._inside is None or self._inside[0] != place.database:
            self.leave()
            self._inside = (place.database, _connect_as(self.server, place.database, place.owner))
        try:
            yield self._inside[1]
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """See `Worker.leave`."""
        if self._inside is not None:
            self._inside[1].close()
            self._inside = None

    def drop_roles(self, place: Place) -> bool:
        """See `Worker.drop_roles`."""
        try:
            for role in place.roles:
                self._do("DROP ROLE IF EXISTS {}", role)
                faults.point("drop.role_dropped")
        except pg.DependentObjectsStillExist:
            return False
        return True

    def _make_role(self, name: str) -> None:
        if not self._role_exists(name):
            self._do("CREATE ROLE {} NOLOGIN", name)
        row = self.admin.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
        if row is not None and not row[0]:
            self._do("GRANT {} TO CURRENT_USER", name)  # an administrator who is no superuser owns nothing by itself

    def _make_login(self, place: Place, login: Login) -> None:
        """The server is told a SCRAM verifier only: a password in a statement ends in its log."""
        verifier = self.admin.pgconn.encrypt_password(login.password.encode(), login.role.encode(), b"scram-sha-256").decode()
        if not self._role_exists(login.role):
            self._do("CREATE ROLE {} NOLOGIN", login.role)
        self._do("GRANT {} TO {}", place.runtime, login.role)
        statement = sql.SQL("ALTER ROLE {} LOGIN INHERIT PASSWORD {}").format(sql.Identifier(login.role), sql.Literal(verifier))
        self.admin.execute(statement)

    def _apply_settings(self, place: Place, role: str) -> None:
        """A session takes the settings of the role that logged in, not of the roles that it is a member of."""
        for name, value in self.server.settings.items():
            setting = sql.SQL("ALTER ROLE {} IN DATABASE {} SET {} = {}")
            self.admin.execute(setting.format(*map(sql.Identifier, (role, place.database, name)), sql.Literal(value)))

    def _exists(self, database: str) -> bool:
        return self.admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone() is not None

    def _role_exists(self, role: str) -> bool:
        return self.admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is not None

    def _do(self, statement: str, *names: str) -> None:
        self.admin.execute(quoted(statement, *names))
