"""Fixtures: a fleet of a few tenants, and revisions for it."""

from __future__ import annotations

import multiprocessing
import runpy
from pathlib import Path

import pytest
from sqlalchemy import inspect

WORKER = Path(__file__).parent / "runner_worker.py"

STATIC = """
    import sqlalchemy as sa
    from alembic import op

    revision, down_revision, branch_labels, depends_on = "r2", "r1", None, None

    def upgrade():
        op.add_column("artist", sa.Column("label", sa.String(20), server_default="100% 'new'"))
        op.create_index("ix_artist_label", "artist", ["label"])
"""
# On PostgreSQL a tenant whose artist is called "breaks" cannot have it, nor one on SQLite.
PLANTED = """
    import sqlalchemy as sa
    from alembic import op

    revision, down_revision, branch_labels, depends_on = "r2", "r1", None, None

    def upgrade():
        op.add_column("artist", sa.Column("label", sa.String(20)))
        op.execute("INSERT INTO song (id, title) SELECT 1, NULL FROM artist WHERE name = 'breaks'")
        op.create_index("ix_artist_label", "artist", ["label"])
"""


@pytest.fixture
def static() -> str:
    """A revision that is the same for every tenant."""
    return STATIC


@pytest.fixture
def planted() -> str:
    """The same for every tenant too, and it fails where an artist is called "breaks"."""
    return PLANTED


@pytest.fixture
def make_fleet(site):
    """So many tenants at r1, from spares: that is quicker."""

    def make(count):
        tenancy = site.tenancy()
        tenancy.spares.refill(count)
        for number in range(count):
            site.make(tenancy, f"t{number:03}")
        return tenancy

    return make


@pytest.fixture
def columns():
    """What a tenant's table has, asked of its database."""

    def of(tenancy, key, table="artist"):
        with tenancy.use(key), tenancy.session() as session:
            return {column["name"] for column in inspect(session.connection()).get_columns(table)}

    return of


@pytest.fixture
def start(site):
    """Starts a runner in a clean process; what is said of it is in `runner_worker`."""

    def start(*, point="", times=1, leash=None, **rollout):
        order = {
            "catalog_url": site.catalog_url,
            "server_url": site.server_url,
            "migrations": str(site.migrations),
            "keys": site.keys.to_text(),
            "point": point,
            "times": times,
            "leash": leash,
            "rollout": {"canary": 1, "batch": 6, "parallel": 2, **rollout},
        }
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["roomtone_tenancy", "roomtone_tenancy.provisioners.postgresql"])
        process = context.Process(target=runpy.run_path, args=(str(WORKER), {"ORDER": order}))
        process.start()
        return process

    return start
