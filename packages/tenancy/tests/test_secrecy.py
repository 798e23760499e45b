"""What nobody may see, and what neither of a tenant's logins may do."""

from __future__ import annotations

import logging
import subprocess
import traceback
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, select, text

from roomtone_tenancy import KeyRing, errors
from roomtone_tenancy.models import CredentialRow
from roomtone_tenancy.provisioners import Login, Place
from roomtone_tenancy.vault import Sealed


@pytest.fixture
def tenancy(postgres_site):
    """Two tenants whose passwords were replaced once: both of their logins can log in."""
    tenancy = postgres_site.tenancy()
    for key in ("a", "b"):
        postgres_site.make(tenancy, key)
        tenancy.secrets.rotate_password(key)
    return tenancy


def logins_of(site, tenancy, key):
    """Both logins with their passwords."""
    found, tenant = [], tenancy.tenant(key)
    with site.catalog.connect() as connection:
        for row in connection.execute(
            select(CredentialRow.__table__).where(CredentialRow.tenant_id == tenant.id).order_by(CredentialRow.role)
        ):
            sealed = Sealed(key_id=row.key_id, data=row.secret)
            place = {"tenant": tenant.id, "table": "tenancy_credentials", "column": "secret"}
            found.append(Login(role=row.role, password=tenancy._credentials.vault.open(sealed, **place)))
    return found


def connect(site, login, database):
    url = make_url(site.server_url).set(drivername="postgresql", username=login.role, password=login.password, database=database)
    return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)


@pytest.mark.parametrize("which", [0, 1])
def test_neither_login_connects_to_another_tenant_the_catalog_a_template_or_the_maintenance_database(postgres_site, tenancy, which):
    site, login = postgres_site, logins_of(postgres_site, tenancy, "a")[which]
    catalog = make_url(site.catalog_url).database
    others = {tenancy.tenant("b").database, tenancy._templates.current("main"), "template0", catalog, "postgres", "template1"}
    with site.admin() as admin:
        for database in (catalog, "postgres", "template1"):
            admin.execute(f"REVOKE CONNECT, TEMPORARY ON DATABASE {database} FROM PUBLIC")

    connect(site, login, tenancy.tenant("a").database).close()

    try:
        assert not [each for each in tenancy.secrets.exposed() if f'"{catalog}"' in each or '"postgres"' in each]
        for other in sorted(others):
            with pytest.raises(psycopg.OperationalError, match=r"permission denied|not currently accepting"):
                connect(site, login, other)
    finally:
        with site.admin() as admin:
            for database in ("postgres", "template1"):
                admin.execute(f"GRANT CONNECT, TEMPORARY ON DATABASE {database} TO PUBLIC")


def test_a_database_that_is_open_to_every_login_is_named_with_what_closes_it(postgres_site, tenancy):
    catalog = make_url(postgres_site.catalog_url).database

    found = tenancy.secrets.exposed()

    assert [each for each in found if f'REVOKE CONNECT, TEMPORARY ON DATABASE "{catalog}" FROM PUBLIC' in each]
    assert not [each for each in found if tenancy.tenant("a").database in each]


def test_files_are_not_exposed(sqlite_site):
    assert sqlite_site.tenancy().secrets.exposed() == []


FORBIDDEN = [
    "CREATE TABLE mine (id int)",
    "CREATE TABLE public.mine (id int)",
    "CREATE TEMPORARY TABLE mine (id int)",
    "CREATE SCHEMA mine",
    "CREATE EXTENSION btree_gist",
    "CREATE ROLE mine",
    "CREATE DATABASE mine",
    "ALTER TABLE artist ADD COLUMN mine int",
    "DROP TABLE artist",
    "TRUNCATE artist",
    "UPDATE tenancy_stamp SET tenant_id = 'x'",
    "INSERT INTO tenancy_stamp (is_only, tenant_id) VALUES (false, 'x')",
    "DELETE FROM tenancy_stamp",
    "UPDATE alembic_version SET version_num = 'x'",
    "DELETE FROM alembic_version",
    "SELECT * FROM pg_authid",
    "SET ROLE {owner}",
    "SET SESSION AUTHORIZATION {owner}",
    "SET ROLE {other_login}",
    "SET ROLE {other_tenant}",
    "SET ROLE postgres",
    "GRANT {runtime} TO {other_tenant}",
    "ALTER ROLE {other_login} PASSWORD 'x'",
    "ALTER DATABASE {database} SET statement_timeout = 0",
]


@pytest.mark.parametrize("which", [0, 1])
def test_neither_login_creates_owns_becomes_or_grants_anything(postgres_site, tenancy, which):
    place, stranger = Place(database=tenancy.tenant("a").database), Place(database=tenancy.tenant("b").database)
    login = logins_of(postgres_site, tenancy, "a")[which]
    names = {"owner": place.owner, "runtime": place.runtime, "database": place.database}
    names |= {"other_login": place.logins[1 - which], "other_tenant": stranger.runtime}
    allowed = []
    with connect(postgres_site, login, place.database) as connection:
        for statement in FORBIDDEN:
            try:
                connection.execute(statement.format(**names))
                allowed.append(statement)
            except psycopg.errors.InsufficientPrivilege:
                pass
        owned = connection.execute("SELECT count(*) FROM pg_class WHERE relowner = ANY(%s::regrole[])", [[*place.logins, place.runtime]])

        assert (allowed, owned.fetchone()[0]) == ([], 0)


def test_what_a_runtime_role_may_do_survives_both_logins(postgres_site, tenancy):
    database = tenancy.tenant("a").database
    for login in logins_of(postgres_site, tenancy, "a"):
        with connect(postgres_site, login, database) as connection:
            connection.execute("INSERT INTO artist (name) VALUES ('x')")
            connection.execute("DELETE FROM artist")


@pytest.fixture
def server_log(postgres_site):
    """The server's own log, while it writes down every statement of everybody."""
    with postgres_site.admin() as admin:
        folder = Path(admin.execute("SHOW data_directory").fetchone()[0])
        log = next((path for path in (folder.parent / "server.log", folder / "server.log") if path.exists()), None)
        if log is None:
            pytest.skip("this server keeps its log elsewhere")
        start = log.stat().st_size
        for name, value in (("log_statement", "all"), ("log_min_messages", "debug1"), ("log_parameter_max_length", "-1")):
            admin.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        admin.execute("SELECT pg_reload_conf()")
        yield lambda: log.read_bytes()[start:].decode(errors="replace")
        for name in ("log_statement", "log_min_messages", "log_parameter_max_length"):
            admin.execute(f"ALTER SYSTEM RESET {name}")
        admin.execute("SELECT pg_reload_conf()")


def test_passwords_are_in_no_log_of_the_server_no_activity_no_process_list_and_no_log_of_ours(postgres_site, server_log, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    tenancy = postgres_site.tenancy()
    postgres_site.make(tenancy, "a")
    passwords = [tenancy._credentials.current(tenancy.tenant("a").id).password]
    tenancy.secrets.rotate_password("a")
    passwords += [login.password for login in logins_of(postgres_site, tenancy, "a")]
    with tenancy.use("a"), tenancy.session() as session:
        session.execute(text("SELECT 'a mark in the log'"))
        with postgres_site.admin() as admin:
            activity = str(admin.execute("SELECT * FROM pg_stat_activity").fetchall())
        processes = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    tenancy.secrets.retire(drain_s=0)
    keys = postgres_site.keys.to_text().partition(":")[2]
    written = capfd.readouterr()
    shown = [server_log(), activity, processes, caplog.text, written.out, written.err]

    assert len({*passwords}) == 2
    assert "a mark in the log" in shown[0]
    assert not [secret for secret in (*passwords, keys) for each in shown if secret in each]


def shown_of(error):
    """Everything that a traceback with local variables would print."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=False).format()) + repr(error) + str(error.args)


def test_passwords_are_in_no_error_of_a_failing_connection(postgres_site, tenancy):
    tenant, password = tenancy.tenant("a"), tenancy._credentials.current(tenancy.tenant("a").id).password
    with postgres_site.admin() as admin:
        admin.execute(f'ALTER ROLE "{tenancy._credentials.current(tenant.id).role}" PASSWORD NULL')
    tenancy.dispose()

    with tenancy.use("a"), tenancy.session() as session, pytest.raises(Exception, match="authentication failed") as caught:
        session.connection()

    assert password not in shown_of(caught.value)


def test_passwords_are_in_no_error_of_a_failing_step_and_not_in_the_catalog_in_clear(postgres_site, monkeypatch):
    drawn = []

    def fail(worker, place, login):
        drawn.append(login.password)
        raise OSError(f"no answer about {login}")

    monkeypatch.setattr("roomtone_tenancy.provisioners.postgresql.PostgresWorker.make_roles", fail)
    tenancy = postgres_site.tenancy()
    postgres_site.register(tenancy, "a")

    with pytest.raises(errors.ProvisioningFailed) as caught:
        tenancy.provision("a")

    with postgres_site.catalog.connect() as connection:
        tables = connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
        rows = str([connection.execute(text(f"SELECT t.*, t::text FROM {table} t")).all() for table in tables])
    assert drawn[0] not in shown_of(caught.value)
    assert drawn[0] not in rows
    assert drawn[0].encode().hex() not in rows
    assert "no answer about" in tenancy.progress("a").error


def test_a_catalog_with_another_key_is_a_clear_error_at_the_first_session(postgres_site, tenancy):
    stranger = postgres_site.tenancy(keys=KeyRing.generate("another"))

    with stranger.use("a"), pytest.raises(errors.UnknownEncryptionKey, match="'k1': give it back"):
        stranger.session()


def test_a_login_taken_over_from_another_tenant_in_the_catalog_does_not_open(postgres_site, tenancy):
    a, b = tenancy.tenant("a"), tenancy.tenant("b")
    with postgres_site.catalog.begin() as connection:
        stolen = "UPDATE tenancy_credentials SET secret = (SELECT secret FROM tenancy_credentials WHERE tenant_id = :b AND is_current)"
        connection.execute(text(f"{stolen} WHERE tenant_id = :a"), {"a": a.id, "b": b.id})
    fresh = postgres_site.tenancy()

    with fresh.use("a"), pytest.raises(errors.Undecryptable) as caught:
        fresh.session()

    assert caught.value.tenant == a.id
