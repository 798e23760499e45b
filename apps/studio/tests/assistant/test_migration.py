"""The assistant's migration makes exactly what its rows describe, and can be undone."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from studio.assistant import models
from studio.db import StudioBase

MINE = {"assistant_conversation", "assistant_turn", "assistant_action"}


def test_the_migration_and_the_rows_describe_the_same_tables(engine):
    options = {"compare_type": True, "include_name": lambda name, kind, _parents: kind != "table" or name in MINE}
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection, opts=options), StudioBase.metadata)

    assert {row.__tablename__ for row in (models.Conversation, models.Turn, models.Action)} == MINE
    assert [change for change in found if any(name in repr(change) for name in MINE)] == []
