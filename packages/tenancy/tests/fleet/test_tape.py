from __future__ import annotations

import textwrap

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import text

from roomtone_tenancy.fleet.rollout import Rollout
from roomtone_tenancy.fleet.tape import NotReplayable, Step, check_source

HEAD = """
    import sqlalchemy as sa
    from alembic import op

    revision, down_revision, branch_labels, depends_on = "r2", "r1", None, None
"""
# Each gives another tenant other statements, or could: none may be replayed.
DEPENDENT = {
    "reads": """
    def upgrade():
        if op.get_bind().scalar(sa.text("SELECT count(*) FROM artist")):
            op.create_table("busy", sa.Column("id", sa.Integer))
        else:
            op.create_table("idle", sa.Column("id", sa.Integer))
    """,
    "counts what it changed": """
    def upgrade():
        changed = op.get_bind().execute(sa.text("UPDATE artist SET name = name")).rowcount
        op.create_table("busy" if changed else "idle", sa.Column("id", sa.Integer))
    """,
    "reflects": """
    def upgrade():
        table = sa.Table("artist", sa.MetaData(), autoload_with=op.get_bind())
        op.create_table("idle", *(sa.Column(c.name, sa.Integer) for c in table.c if c.name == "id"))
    """,
    "hides what it asks": """
    def upgrade():
        try:
            found = op.get_bind().scalar(sa.text("SELECT count(*) FROM artist"))
        except Exception:
            found = 0
        op.create_table("busy" if found else "idle", sa.Column("id", sa.Integer))
    """,
    "asks whether it is blind": """
    from alembic import context

    def upgrade():
        op.create_table("idle", sa.Column("id", sa.Integer))
        if not context.is_offline_mode():
            op.execute("DELETE FROM artist WHERE name = 'nobody'")
    """,
    "draws lots": """
    import uuid

    def upgrade():
        op.create_table("idle", sa.Column("id", sa.Integer))
        op.execute(f"INSERT INTO artist (name) VALUES ('{uuid.uuid4()}')")
    """,
    "binds a parameter": """
    def upgrade():
        op.create_table("idle", sa.Column("id", sa.Integer))
        op.execute(sa.text("UPDATE artist SET name = :name WHERE name = 'nobody'").bindparams(name="somebody"))
    """,
    "has a door": """
    import os

    def upgrade():
        op.create_table("busy" if os.environ.get("SOMETHING") else "idle", sa.Column("id", sa.Integer))
    """,
}
# These learn nothing from the database, though they ask which kind it is or loop.
INDEPENDENT = {
    "asks the dialect": """
    def upgrade():
        kind = op.get_bind().dialect.name
        op.create_table("idle", sa.Column("id", sa.Integer), sa.Column(f"of_{kind}", sa.String(9), server_default="5%"))
    """,
    "loops": """
    def upgrade():
        op.create_table("idle", sa.Column("id", sa.Integer))
        for name in ("a", "b"):
            op.add_column("idle", sa.Column(name, sa.Text, comment=None))
        op.execute("UPDATE artist SET name = name || '; -- 100%\\t%%'")
    """,
}


def source(body):
    return textwrap.dedent(HEAD) + textwrap.dedent(body)


def tables(tenancy, key):
    with tenancy.use(key), tenancy.session() as session:
        query = "SELECT name FROM sqlite_master" if session.get_bind().dialect.name == "sqlite" else "SELECT tablename FROM pg_tables"
        return set(session.scalars(text(query))) & {"busy", "idle"}


@pytest.mark.parametrize(("site", "how"), [*(("sqlite", it) for it in DEPENDENT), ("postgresql", "reads")], indirect=["site"])
def test_what_may_differ_between_tenants_is_never_replayed(site, make_fleet, how):
    old = make_fleet(3)
    with old.use("t001"), old.session() as session:
        session.execute(text("INSERT INTO artist (name) VALUES ('x')"))
        session.commit()
    site.add_revision("r2", source(DEPENDENT[how]))
    tenancy = site.tenancy()

    status = tenancy.fleet.run(Rollout(parallel=1))

    assert (status.is_success, status.ways) == (True, {"alembic": 3})
    assert status.unreplayed.keys() == {"r2"}
    sees = how in ("reads", "counts what it changed", "hides what it asks")
    assert [tables(tenancy, f"t00{number}") for number in range(3)] == [{"idle"}, {"busy"} if sees else {"idle"}, {"idle"}]


@pytest.mark.parametrize(("site", "how"), [*(("sqlite", it) for it in INDEPENDENT), ("postgresql", "asks the dialect")], indirect=["site"])
def test_what_cannot_differ_is_replayed_after_one_real_run(site, make_fleet, how):
    old = make_fleet(3)
    with old.use("t001"), old.session() as session:
        session.execute(text("INSERT INTO artist (name) VALUES ('x')"))
        session.commit()
    site.add_revision("r2", source(INDEPENDENT[how]))
    tenancy = site.tenancy()

    status = tenancy.fleet.run(Rollout(parallel=1))

    assert (status.is_success, status.ways, status.unreplayed) == (True, {"alembic": 1, "replay": 2}, {})
    assert [tables(tenancy, f"t00{number}") for number in range(3)] == [{"idle"}] * 3


def test_replay_leaves_the_same_schema_as_alembic(site, make_fleet, static):
    make_fleet(2)
    site.add_revision("r2", static)
    site.add_revision("r3", source(INDEPENDENT["loops"]).replace('"r2", "r1"', '"r3", "r2"'))
    tenancy = site.tenancy()

    status = tenancy.fleet.run(Rollout(parallel=1))

    def schema(key):
        with tenancy.use(key), tenancy.session() as session:
            if site.kind == "sqlite":
                return session.execute(text("SELECT type, name, sql FROM sqlite_master ORDER BY name")).all()
            columns = "SELECT table_name, column_name, data_type, column_default FROM information_schema.columns"
            return session.execute(text(f"{columns} WHERE table_schema = 'public' ORDER BY 1, 2")).all()

    assert status.ways == {"alembic": 1, "replay": 1}
    assert schema("t000") == schema("t001")


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_another_process_with_other_scripts_does_not_replay(site, make_fleet, static):
    make_fleet(3)
    site.add_revision("r2", static)
    first = site.tenancy()
    first.fleet.run(Rollout(batch=1, parallel=1), on_tenant=lambda key, error: first.fleet.stop())
    site.add_revision("r2", static.replace("'new'", "'edited'"))

    status = site.tenancy().fleet.resume()

    assert (status.is_success, status.ways) == (True, {"alembic": 2, "replay": 1})  # the third, by the other process


def test_without_replay_alembic_runs_everywhere(sqlite_site, static):
    tenancy = sqlite_site.tenancy()
    for key in ("a", "b"):
        sqlite_site.make(tenancy, key)
    sqlite_site.add_revision("r2", static)

    status = sqlite_site.tenancy().fleet.run(Rollout(replay=False))

    assert status.ways == {"alembic": 2}


@pytest.mark.parametrize(
    "line",
    [
        "import os",
        "import sqlalchemy.engine, psycopg",
        "from . import sibling",
        "from studio.db import Base",
        "from sqlalchemy import create_engine",
        "import sqlalchemy as sa; sa.create_engine('sqlite://')",
        "__import__('os')",
        "eval('1')",
        "open('/etc/hostname')",
        "from alembic import context",
    ],
)
def test_a_source_with_a_door_is_refused(line):
    with pytest.raises(NotReplayable, match="might reach something outside"):
        check_source(line)


def test_a_plain_source_is_let_through():
    check_source(source(INDEPENDENT["loops"]) + "\nfrom sqlalchemy.dialects import postgresql\nfrom datetime import datetime\n")


words = st.text("ab\x00;'", max_size=4)


@example(one=("", "\x00", []), other=("\x00", "", []))
@given(one=st.tuples(words, words, st.lists(words)), other=st.tuples(words, words, st.lists(words)))
def test_a_digest_is_the_same_only_for_the_same_statements(one, other):
    first, second = (Step(revision=r, before=b, statements=tuple(s)) for r, b, s in (one, other))

    assert (first.digest == second.digest) == (first == second)
