from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from roomtone_ai_credits import models, schema


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request, tmp_path):
    url = f"sqlite:///{tmp_path}/credits.db" if request.param == "sqlite" else request.getfixturevalue("database_url")
    engine = create_engine(url)
    yield engine
    engine.dispose()


def test_the_migrations_make_what_the_rows_say(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "version_table": schema.VERSION_TABLE,
                "include_name": lambda name, kind, _: kind != "table" or name.startswith("credits_"),
            },
        )

        differences = compare_metadata(context, models.Row.metadata)

        # SQLite cannot drop a foreign key without writing the whole history anew, and does not look at it.
        assert [found for found in differences if found[0] != "remove_fk" or engine.dialect.name != "sqlite"] == []


def test_an_upgrade_leaves_a_host_s_tables_and_versions_alone(empty):
    with empty.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('host')"))

    for _ in range(2):
        schema.upgrade(empty)

    with empty.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "host"
        assert all(name.startswith("credits_") or name == "alembic_version" for name in inspect(connection).get_table_names())


def test_processes_that_start_together_upgrade_once(database_url):
    engine = create_engine(database_url)

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: schema.upgrade(engine), range(4)))

    engine.dispose()
    assert outcomes == [None] * 4
