"""Runs the control migrations on the connection it is given."""

from alembic import context

from studio.platform.control_schema import VERSION_TABLE
from studio.platform.models import ControlBase

context.configure(connection=context.config.attributes["connection"], target_metadata=ControlBase.metadata, version_table=VERSION_TABLE)
context.run_migrations()
