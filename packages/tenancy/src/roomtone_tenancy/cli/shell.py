"""`shell`: a console in one tenant's scope."""

from __future__ import annotations

import code
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click
from sqlalchemy import URL
from sqlalchemy.orm import Session

from ..errors import TenancyError
from ..lifecycle import TenantState
from ..tenancy import Tenancy
from ..tenant import Tenant
from .application import pass_tenancy
from .output import plain_errors


@click.command()
@click.argument("key", metavar="TENANT")
@click.option("--sql", is_flag=True, help="psql or sqlite3 instead, with the rights that the application has.")
@pass_tenancy
def shell(tenancy: Tenancy, key: str, *, sql: bool) -> None:
    """A console for one tenant, in Python or in SQL.

    In Python `session` is open on its database, `tenant` and `tenancy` are at hand. What is not committed is rolled back at the end. In a
    pipe the input is run as a script. A suspended tenant is refused, and a read-only one's database refuses writes, as everywhere.
    """
    with plain_errors():
        tenant = tenancy.tenant(key)
        if sql:
            sys.exit(_run_sql(tenancy, tenant))
        with tenancy.use(tenant), tenancy.session() as session:
            _run_python({"tenancy": tenancy, "tenant": tenant, "session": session}, _banner(tenant))


COMMANDS = (shell,)


def _banner(tenant: Tenant) -> str:
    note = {TenantState.ACTIVE: ""}.get(tenant.state, f" ({tenant.state})")
    return f"Tenant {tenant.key}{note}: database {tenant.database} on {tenant.server}, revision {tenant.revision}."


def _run_python(names: dict[str, Any], banner: str) -> None:  # what the console knows
    if not sys.stdin.isatty():
        click.echo(banner, err=True)
        exec(compile(sys.stdin.read(), "<standard input>", "exec"), names)  # noqa: S102 -- it is what a console is for
        return
    with suppress(ImportError):
        import readline  # lines can be edited and had again
        import rlcompleter

        readline.set_completer(rlcompleter.Completer(names).complete)
        readline.parse_and_bind("tab: complete")
    code.interact(f"{banner}\n`session`, `tenant` and `tenancy` are at hand; Ctrl-D ends.", local=names, exitmsg="")


def _run_sql(tenancy: Tenancy, tenant: Tenant) -> int:
    with tenancy.use(tenant), tenancy.session() as session:
        session.connection()  # proves that it is the tenant's database, and that its state lets anybody in
        command = _sqlite(session, tenant) if session.get_bind().dialect.name == "sqlite" else _psql(tenancy, session)
        url = _url_of(session)
    if tenant.state is TenantState.READ_ONLY and tenant.key in tenancy.pending("door"):
        raise click.ClickException(f"The database of {tenant.key} was not told yet that it is read-only: run `tenancy resume`.")
    click.echo(_banner(tenant), err=True)
    with _interrupts_for_it():
        return subprocess.run(command, env={**os.environ, "PGPASSWORD": url.password or ""}, check=False).returncode


def _psql(tenancy: Tenancy, session: Session) -> list[str]:
    from psycopg.conninfo import make_conninfo  # an extra that SQLite does without

    driver: Any = session.connection().connection.driver_connection  # psycopg's
    try:
        program = str(tenancy.tools.find("psql", server_major=driver.info.server_version // 10_000))
    except TenancyError:
        found = shutil.which("psql")  # an older one speaks to a newer server, if not of everything
        if found is None:
            raise
        program = found
    url = _url_of(session)
    parts = {**url.translate_connect_args(database="dbname", username="user"), **url.query}
    parts.pop("password", None)
    return [program, f"--dbname={make_conninfo(**parts)}"]


def _sqlite(session: Session, tenant: Tenant) -> list[str]:
    program, url = shutil.which("sqlite3"), _url_of(session)
    if program is None:
        raise click.ClickException("sqlite3 is not on the path: install SQLite's command line.")
    mode = "ro" if tenant.state is TenantState.READ_ONLY else "rw"  # neither makes a file
    return [program, "-cmd", "PRAGMA foreign_keys = ON", f"{url.database}?mode={mode}"]


def _url_of(session: Session) -> URL:
    bind: Any = session.get_bind()  # a tenant's engine
    url: URL = bind.url
    return url


@contextmanager
def _interrupts_for_it() -> Iterator[None]:
    """Ctrl-C ends a statement in the console that was started, and not us."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
