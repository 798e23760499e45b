"""The tenant migrations make exactly what the rows describe."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

import studio.assistant.models
import studio.contexts.scheduling.models
import studio.contexts.settings.models
import studio.payments.models  # noqa: F401  # rows register themselves
from studio.db import StudioBase

CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2
"""


def test_the_migrations_and_the_rows_describe_the_same_tables(engine, migrate):
    migrate(engine)
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), StudioBase.metadata)

    assert {"studio_settings", "party", "room", "booking", "allocation"} <= StudioBase.metadata.tables.keys()
    assert found == []


def test_the_migrations_and_the_rows_make_the_same_constraints(engine, migrate):
    migrate(engine)
    with engine.begin() as connection:
        migrated = connection.execute(text(CONSTRAINTS)).all()
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
        connection.execute(text("CREATE EXTENSION btree_gist"))
        StudioBase.metadata.create_all(connection)
        declared = connection.execute(text(CONSTRAINTS)).all()

    assert migrated == declared
    assert any("EXCLUDE USING gist" in row[2] for row in migrated)


def test_the_owner_of_a_database_may_migrate_it_without_being_superuser(engine, migrate, database_url):
    name = database_url.rsplit("/", 1)[1]
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE ROLE owner_{name} LOGIN PASSWORD 'x' NOSUPERUSER"))
        connection.execute(text(f"ALTER DATABASE {name} OWNER TO owner_{name}"))
    owner = create_engine(engine.url.set(username=f"owner_{name}", password="x"))

    migrate(owner)

    with owner.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_extension WHERE extname = 'btree_gist'")) == 1
        connection.rollback()
    owner.dispose()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"REASSIGN OWNED BY owner_{name} TO postgres"))
        connection.execute(text(f"DROP OWNED BY owner_{name}"))
        connection.execute(text(f"DROP ROLE owner_{name}"))
