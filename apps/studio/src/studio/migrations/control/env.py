"""Runs the control migrations on the connection it is given."""

from alembic import context

import studio.platform.models  # noqa: F401  # its tables are what is compared
from studio.db import ControlBase
from studio.platform.control_schema import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], target_metadata=ControlBase.metadata, version_table=VERSION_TABLE)
context.run_migrations()
