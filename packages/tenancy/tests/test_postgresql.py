"""What the server itself allows, asked behind the library's back."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors as pg
from sqlalchemy import make_url, text

from roomtone_tenancy import Server, errors


@pytest.fixture
def tenancy(postgres_site):
    tenancy = postgres_site.tenancy()
    for key in ("a", "b"):
        postgres_site.make(tenancy, key)
    return tenancy


def login(site, tenancy, key, database):
    """A connection as the tenant's runtime role, to any database."""
    tenant = tenancy.tenant(key)
    role = f"{tenant.database}_a"
    url = psycopg.conninfo.conninfo_to_dict(site.server_url.replace("+psycopg", ""))
    url |= {"user": role, "password": tenancy._credentials.current(tenant.id).password, "dbname": database}
    return psycopg.connect(**url, autocommit=True)


def test_a_tenants_role_reaches_its_own_database_only(postgres_site, tenancy):
    a, b = tenancy.tenant("a"), tenancy.tenant("b")
    template = tenancy._templates.current("main")

    login(postgres_site, tenancy, "a", a.database).close()

    for other in (b.database, template):
        with pytest.raises(psycopg.OperationalError, match=r"permission denied|not currently accepting"):
            login(postgres_site, tenancy, "a", other)


FORBIDDEN = [
    "CREATE TABLE mine (id int)",
    "CREATE TEMPORARY TABLE mine (id int)",
    "CREATE SCHEMA mine",
    "DROP TABLE artist",
    "TRUNCATE artist",
    "UPDATE tenancy_stamp SET tenant_id = 'x'",
    "DELETE FROM tenancy_stamp",
    "UPDATE alembic_version SET version_num = 'x'",
    "CREATE ROLE mine",
    "CREATE DATABASE mine",
    "SELECT * FROM pg_authid",
]


def test_a_tenants_role_owns_nothing_and_cannot_change_the_schema_or_the_stamp(postgres_site, tenancy):
    allowed = []
    for statement in FORBIDDEN:
        with login(postgres_site, tenancy, "a", tenancy.tenant("a").database) as connection:
            try:
                connection.execute(statement)
                allowed.append(statement)
            except pg.InsufficientPrivilege:
                pass

    assert allowed == []


def test_a_clone_has_its_owner_its_settings_and_none_of_its_templates_roles(postgres_site, tenancy):
    tenant = tenancy.tenant("a")
    with postgres_site.admin(tenant.database) as admin:
        owners = admin.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'").fetchall()
        acl = admin.execute("SELECT datacl::text, datdba::regrole::text FROM pg_database WHERE datname = current_database()").fetchone()
    with login(postgres_site, tenancy, "a", tenant.database) as connection:
        settings = [connection.execute(f"SHOW {name}").fetchone()[0] for name in ("statement_timeout", "lock_timeout", "timezone")]

    assert owners == [(f"{tenant.database}_owner",)]
    assert acl[1] == f"{tenant.database}_owner"
    assert "=T" not in acl[0].replace("=CTc", "")
    assert settings == ["30s", "5s", "UTC"]


def test_the_template_refuses_even_the_administrator(postgres_site, tenancy):
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        postgres_site.admin(tenancy._templates.current("main"))


def test_tables_of_later_migrations_are_granted_and_sequences_go_on(postgres_site, tenancy, extension):
    site = postgres_site
    site.add_revision("r2", extension)
    later = site.tenancy()

    later.migrate()

    with later.use("a"), later.session() as session:
        ids = session.scalars(text("INSERT INTO room (name) VALUES ('x'), ('y') RETURNING id")).all()
    assert ids == [1, 2]


def test_another_installation_on_the_same_server_is_none_of_our_business(postgres_site, tenancy):
    with postgres_site.admin() as admin:
        admin.execute("CREATE ROLE rt_zzzzzz_other")
        try:
            assert tenancy.orphans() == []
        finally:
            admin.execute("DROP ROLE rt_zzzzzz_other")


def test_an_orphan_is_found_by_its_name(postgres_site, tenancy):
    name = tenancy.tenant("a").database[:10] + "lost"
    with postgres_site.admin() as admin:
        admin.execute(f"CREATE ROLE {name}")

        assert tenancy.orphans() == [name]
        assert [finding.subject for finding in tenancy.doctor().findings if finding.check == "orphan"] == [name]


def test_work_that_another_connection_locks_is_busy(postgres_site, monkeypatch):
    monkeypatch.setattr("roomtone_tenancy.provisioners.postgresql.LOCK_WAIT_S", 0.05)
    tenancy = postgres_site.tenancy()
    tenant = postgres_site.register(tenancy, "a")
    with postgres_site.admin() as admin:
        admin.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"tenant:{tenant.id}"])

        with pytest.raises(errors.OperationBusy):
            tenancy.provision("a")

    assert tenancy.provision("a").state == "active"


def test_an_administrator_who_is_no_superuser_suffices(postgres_site):
    site, name = postgres_site, "admin_of_test"
    with site.admin() as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN CREATEDB CREATEROLE PASSWORD 'p'")
        url = make_url(site.server_url).set(username=name, password="p").render_as_string(hide_password=False)
        tenancy = site.tenancy(servers=[Server("main", url)])
        site.make(tenancy, "a")
        with tenancy.use("a"), tenancy.session() as session:
            count = session.scalars(text("SELECT count(*) FROM artist")).one()
        tenancy.dispose()
        tenancy.delete("a")
        orphans = tenancy.orphans()
        template = tenancy._templates.current("main")
        admin.execute(f"ALTER DATABASE {template} IS_TEMPLATE false")
        admin.execute(f"DROP DATABASE {template}")
        admin.execute(f"DROP ROLE {template}_owner")
        admin.execute(f"DROP ROLE {name}")

    assert (count, orphans) == (0, [])
