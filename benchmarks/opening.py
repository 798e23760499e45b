"""From a filled-in sign-up form to a studio that works."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import psycopg
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import NullPool, create_engine, make_url

from benchmarks.measure import in_turns
from benchmarks.place import PASSWORD, Place
from benchmarks.report import Row
from roomtone_tenancy import TenantState
from studio.platform.passwords import hash_password
from studio.wiring import TENANT_MIGRATIONS


def measure(here: Place, runs: int) -> tuple[list[Row], list[str]]:
    """Sign-up to usable studio; against the least that PostgreSQL must do, and against migrating each new database."""
    made: list[str] = []
    script = ScriptDirectory(TENANT_MIGRATIONS)
    script.get_current_head()

    def ours() -> Callable[[], object]:
        made.append(key := here.new_studio())
        return lambda: here.services.database.tenancy.delete(key)

    timings = in_turns(
        {
            "ours": ours,
            "sign-up": lambda: _sign_up_only(here),
            "clone": lambda: _clone(here, _template(here)),
            "migrate": lambda: _migrate(here, script),
            "hash": lambda: hash_password(PASSWORD),
        },
        runs=runs,
    )
    open_, taken = timings["ours"], timings["sign-up"]
    rows = [
        Row(
            what="sign-up to active studio", ours=open_, peer="bare CREATE DATABASE … TEMPLATE, two roles", theirs=timings["clone"], bar=3.8
        ),
        Row(
            what="sign-up to active studio",
            ours=open_,
            peer="CREATE DATABASE, then the Alembic revisions",
            theirs=timings["migrate"],
            bar=2.1,
        ),
        Row(what="sign-up's transaction", ours=taken, peer="hashing the password (Argon2id)", theirs=timings["hash"], bar=3),
    ]
    return rows, [_steps(here)]


def _sign_up_only(here: Place) -> Callable[[], object]:
    key = here.sign_up()
    return lambda: here.services.database.tenancy.delete(key)


def _steps(here: Place) -> str:
    """Where one opening's time goes."""
    tenancy, key = here.services.database.tenancy, here.new_studio()
    assert tenancy.tenant(key).state is TenantState.ACTIVE
    steps = [f"{step.name} {(step.seconds or 0) * 1000:.0f}" for step in tenancy.progress(key).steps]
    tenancy.delete(key)
    return f"Steps of one provisioning, ms: {', '.join(steps)}."


def _template(here: Place) -> str:
    with here.services.database.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT database FROM tenancy_templates WHERE revision IS NOT NULL")
        return str(found.scalar_one())


def _admin(here: Place) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(here.server_url.replace("+psycopg", ""), autocommit=True)


def _clone(here: Place, template: str) -> Callable[[], object]:
    name = f"raw_{uuid.uuid4().hex[:12]}"
    database, owner, login = (sql.Identifier(name + end) for end in ("", "_owner", "_login"))
    with _admin(here) as admin:
        verifier = admin.pgconn.encrypt_password(PASSWORD.encode(), f"{name}_login".encode(), b"scram-sha-256").decode()
        admin.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(owner))
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(login, sql.Literal(verifier)))
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(database, sql.Identifier(template), owner))

    def drop() -> None:
        with _admin(here) as admin:
            admin.execute(sql.SQL("DROP DATABASE {}").format(database))
            admin.execute(sql.SQL("DROP ROLE {}, {}").format(owner, login))

    return drop


def _migrate(here: Place, script: ScriptDirectory) -> Callable[[], object]:
    name = f"naive_{uuid.uuid4().hex[:12]}"
    with _admin(here) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    engine = create_engine(make_url(here.server_url).set(database=name), poolclass=NullPool)
    steps = EnvironmentContext(Config(), script, fn=lambda revision, _: script._upgrade_revs("head", revision))
    with engine.connect() as connection, steps:
        steps.configure(connection=connection)
        with steps.begin_transaction():
            steps.run_migrations()
        connection.commit()

    def drop() -> None:
        with _admin(here) as admin:
            admin.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))

    return drop
