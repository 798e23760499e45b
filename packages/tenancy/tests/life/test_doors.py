from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from roomtone_tenancy import errors
from roomtone_tenancy.life.copiers.postgresql import PostgresCopier

INSERT = "INSERT INTO artist (name) VALUES ('by hand')"


@pytest.fixture
def acme(postgres_site):
    tenancy = postgres_site.tenancy()
    return tenancy, postgres_site.make(tenancy, "acme")


def test_a_read_only_tenants_database_refuses_who_bypasses_the_library(postgres_site, acme, raw):
    tenancy, tenant = acme
    with raw(tenancy, tenant) as before:
        before.execute(INSERT)

        postgres_site.change(tenancy.read_only, "acme", reason="unpaid")

        with pytest.raises(psycopg.OperationalError):  # the session that was there is gone
            before.execute("SELECT 1")
    with raw(tenancy, tenant) as after, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        after.execute(INSERT)


def test_a_suspended_tenants_database_lets_nobody_in_and_a_resumed_ones_does_again(postgres_site, acme, raw):
    tenancy, tenant = acme
    postgres_site.change(tenancy.suspend, "acme", reason="unpaid")

    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        raw(tenancy, tenant)
    postgres_site.change(tenancy.archive, "acme", reason="gone")
    postgres_site.change(tenancy.suspend, "acme", reason="back")
    postgres_site.change(tenancy.resume, "acme", reason="paid")
    with raw(tenancy, tenant) as connection:
        connection.execute(INSERT)


def test_migrations_reach_tenants_whose_door_is_shut(postgres_site, acme, extension):
    tenancy, _ = acme
    postgres_site.make(tenancy, "closed")
    postgres_site.change(tenancy.read_only, "acme", reason="unpaid")
    postgres_site.change(tenancy.suspend, "closed", reason="unpaid")
    postgres_site.add_revision("r2", extension)

    report = postgres_site.tenancy().migrate()

    assert (sorted(report.migrated), report.failed) == (["acme", "closed"], {})


def test_a_login_made_while_the_tenant_is_read_only_is_read_only_too(postgres_site, acme, raw):
    tenancy, _ = acme
    postgres_site.change(tenancy.read_only, "acme", reason="unpaid")

    tenancy.secrets.rotate_password("acme")

    with raw(tenancy, tenancy.tenant("acme")) as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute(INSERT)


def test_a_server_that_is_away_leaves_the_door_to_be_told_later(postgres_site, acme, raw, monkeypatch, caplog):
    tenancy, tenant = acme

    def away(*_):
        raise OSError("network away")

    with monkeypatch.context() as patched:
        patched.setattr(PostgresCopier, "set_door", away)
        postgres_site.change(tenancy.suspend, "acme", reason="unpaid")
    pending, findings = tenancy.pending("door"), tenancy.doctor()
    with raw(tenancy, tenant) as connection:
        connection.execute("SELECT 1")

    tenancy.settle("acme")

    assert (pending, tenancy.pending("door")) == (["acme"], [])
    assert [(it.subject, it.fix.text) for it in findings.findings if it.check == "door"] == [("acme", "tenancy resume")]
    assert "was not told" in caplog.text
    with pytest.raises(psycopg.OperationalError):
        raw(tenancy, tenant)


def test_a_transaction_that_is_rolled_back_tells_the_database_nothing(postgres_site, acme, raw):
    tenancy, tenant = acme

    with Session(postgres_site.catalog) as session:
        tenancy.suspend(session, "acme", reason="by mistake")
        session.rollback()

    with raw(tenancy, tenant) as connection:
        connection.execute(INSERT)
    assert tenancy.pending("door") == []


def test_a_read_only_file_is_written_by_no_session(sqlite_site):
    tenancy = sqlite_site.tenancy()
    sqlite_site.make(tenancy, "acme")
    sqlite_site.change(tenancy.read_only, "acme", reason="unpaid")

    with tenancy.use("acme"), tenancy.session() as session, pytest.raises(errors.TenantReadOnly):
        session.execute(text(INSERT))
