"""This package's Alembic environment."""
