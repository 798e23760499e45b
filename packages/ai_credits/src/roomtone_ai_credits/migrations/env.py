"""Runs this package's migrations on the connection `schema.upgrade` hands over."""

from alembic import context

from roomtone_ai_credits.models import Row

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    target_metadata=Row.metadata,
    version_table=attributes["version_table"],
    # A host's tables are none of our business.
    include_name=lambda name, kind, _parents: kind != "table" or str(name).startswith("credits_"),
)
with context.begin_transaction():
    context.run_migrations()
