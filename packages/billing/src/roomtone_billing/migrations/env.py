"""Runs the revisions on the connection `schema.upgrade` brings; there is no offline mode."""

from alembic import context

from roomtone_billing.models import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="billing_alembic_version",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
