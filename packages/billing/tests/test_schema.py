"""The tables: what the migrations make is what the rows say, once, beside the host's own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from roomtone_billing import schema
from roomtone_billing.models import metadata


def newest_revision() -> str | None:
    return ScriptDirectory(str(files("roomtone_billing") / "migrations")).get_current_head()


def test_the_migrations_make_exactly_the_tables_of_the_rows(engine):
    def ours(thing, name, kind, reflected, compared):
        return kind != "table" or (name.startswith("billing_") and name != "billing_alembic_version")

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": ours, "compare_type": True})

        assert compare_metadata(context, metadata) == []


def test_upgrading_again_changes_nothing_and_leaves_the_hosts_version_table_alone(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path}/host.db")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num TEXT)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('host')"))
    schema.upgrade(engine)
    schema.upgrade(engine)

    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "host"
        assert connection.scalar(text("SELECT version_num FROM billing_alembic_version")) == newest_revision()
    engine.dispose()


def test_processes_that_upgrade_at_once_wait_for_each_other(database_url):
    engine = create_engine(database_url)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: schema.upgrade(engine), range(3)))

    assert "billing_inbox" in inspect(engine).get_table_names()
    engine.dispose()


def test_a_migration_that_fails_on_sqlite_leaves_nothing(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path}/host.db")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE billing_handled (was_here TEXT)"))
    with pytest.raises(Exception, match="billing_handled"):
        schema.upgrade(engine)

    assert inspect(engine).get_table_names() == ["billing_handled"]
    engine.dispose()
