from __future__ import annotations

import json

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from roomtone_tenancy import Server
from roomtone_tenancy.life.errors import NotVerified, OperationFailed
from roomtone_tenancy.provisioners import Place

ALL_TYPES = """
    import sqlalchemy as sa
    from alembic import op
    from sqlalchemy.dialects import postgresql as pg

    revision, down_revision, branch_labels, depends_on = "r2", "r1", None, None

    def upgrade():
        mood = sa.Enum("calm", "it's", name="mood")
        words = sa.ARRAY(sa.Text).with_variant(sa.JSON(), "sqlite")
        op.create_table(
            "thing",
            sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
            sa.Column("parent_id", sa.ForeignKey("thing.id")),
            sa.Column("price", sa.Numeric(12, 2)),
            sa.Column("ratio", sa.Double),
            sa.Column("is_on", sa.Boolean),
            sa.Column("data", sa.LargeBinary),
            sa.Column("on_day", sa.Date),
            sa.Column("at_time", sa.Time),
            sa.Column("seen_at", sa.DateTime(timezone=True)),
            sa.Column("local_at", sa.DateTime),
            sa.Column("facts", sa.JSON),
            sa.Column("ref", sa.Uuid),
            sa.Column("mood", mood),
            sa.Column("words", words),
            sa.Column("big", sa.BigInteger),
            sa.Column("note", sa.Text, nullable=True),
            sa.Column("shout", sa.Text, sa.Computed("upper(note)", persisted=True)),
        )
        op.execute("INSERT INTO thing (id, note) VALUES (7, 'put there by a migration')")
"""
THINGS = [
    {"id": 1, "parent_id": 2, "price": "12.50", "ratio": "0.1", "is_on": True, "on_day": "2024-02-29", "note": "", "big": 2**63 - 1},
    {"id": 2, "price": "-0.01", "is_on": False, "note": "tab\tline\nnul \\N back\\slash 'quote' \"double\" ünï 🎙", "big": -(2**63)},
    {"id": 3, "parent_id": 3, "seen_at": "2026-01-02 03:04:05.6+00", "local_at": "2026-01-02 03:04:05", "at_time": "23:59:59.000001"},
    {"id": 4, "facts": '{"b": [1, 2.50, null, "\\u00fc"], "a": {}}', "ref": "0f8fad5b-d9cb-469f-a165-70867728950e", "mood": "it's"},
    {"id": 5, "facts": "null", "data": b"\x00\xff\\x41", "words": ["a,b", "", None, "{}", '"']},
    {"id": 6, "words": [], "data": b"", "ratio": "1e300", "price": "9999999999.99"},
    {"id": 8},
]


@pytest.fixture
def typed(postgres_site, tmp_path):
    """A tenancy on PostgreSQL and SQLite at once, and a tenant on each; the one on PostgreSQL has rows of every type."""
    site = postgres_site
    site.add_revision("r2", ALL_TYPES)
    folder = f"sqlite:///{tmp_path}/files"
    servers = [Server("main", site.server_url, regions=("pg",)), Server("files", folder, regions=("files",))]
    tenancy = site.tenancy(servers=servers, cache_ttl_s=0)
    site.make(tenancy, "acme", region="pg")
    with tenancy.use("acme"), tenancy.session() as db:
        db.execute(text("DELETE FROM thing"))
        db.execute(text("SELECT setval('thing_id_seq', 8)"))
        for thing in sorted(THINGS, key=lambda it: it.get("parent_id") or 0):
            casts = {"seen_at": "timestamptz", "local_at": "timestamp", "on_day": "date", "at_time": "time", "mood": "mood", "ref": "uuid"}
            casts |= {"facts": "json", "price": "numeric", "ratio": "float8"}
            names = ", ".join(thing)
            values = ", ".join(f"CAST(:{name} AS {casts[name]})" if name in casts else f":{name}" for name in thing)
            db.execute(text(f"INSERT INTO thing ({names}) VALUES ({values})"), thing)
        db.execute(text("INSERT INTO artist (name) VALUES ('ann')"))
        db.execute(text("INSERT INTO song (title, artist_id) VALUES ('s', 1)"))
        db.commit()
    return tenancy


def contents(tenancy, key):
    tenant = tenancy.tenant(key)
    return dict(tenancy._workshop.copier(tenant.server).contents(Place(database=tenant.database)))


def test_all_types_come_back_from_postgresql_to_postgresql_the_same(typed, tmp_path):
    exported = typed.exports.create("acme", tmp_path / "acme.zip")

    report = typed.exports.load(tmp_path / "acme.zip", "copy", region="pg")
    before, after = contents(typed, "acme"), contents(typed, "copy")

    assert (exported.rows, report.rows, report.dialect, report.revision) == (9, 9, "postgresql", "r2")
    assert {**before, "tenancy_stamp": None} == {**after, "tenancy_stamp": None}


def test_postgresql_to_sqlite_to_postgresql_gives_equal_checksums(typed, tmp_path):
    typed.exports.create("acme", tmp_path / "one.zip")
    typed.exports.load(tmp_path / "one.zip", "file", region="files")
    typed.exports.create("file", tmp_path / "two.zip")
    typed.exports.load(tmp_path / "two.zip", "back", region="pg")
    with typed.use("file"), typed.session() as db:
        things = {row.id: row for row in db.execute(text("SELECT * FROM thing"))}

    assert (typed.tenant("file").server, typed.tenant("back").server) == ("files", "main")
    assert {**contents(typed, "acme"), "tenancy_stamp": None} == {**contents(typed, "back"), "tenancy_stamp": None}
    # As SQLAlchemy's own types write them.
    assert (things[3].seen_at, things[3].at_time) == ("2026-01-02 03:04:05.600000", "23:59:59.000001")
    assert (things[4].ref, things[1].price, things[1].is_on) == ("0f8fad5bd9cb469fa16570867728950e", 12.5, 1)
    assert (things[1].note, things[8].note, things[2].shout[:3]) == ("", None, "TAB")
    assert json.loads(things[5].words) == ["a,b", "", None, "{}", '"']
    assert (things[5].facts, things[8].facts, things[5].data, things[6].data) == ("null", None, b"\x00\xff\\x41", b"")


def test_new_rows_of_an_import_get_new_numbers(typed, tmp_path):
    typed.exports.create("acme", tmp_path / "one.zip")
    typed.exports.load(tmp_path / "one.zip", "file", region="files")
    typed.exports.create("file", tmp_path / "two.zip")
    typed.exports.load(tmp_path / "two.zip", "back", region="pg")

    numbers = []
    for key in ("file", "back"):
        with typed.use(key), typed.session() as db:
            db.execute(text("INSERT INTO thing (note) VALUES ('new')"))
            db.execute(text("INSERT INTO song (title) VALUES ('new')"))
            numbers.append(tuple(db.scalar(text(f"SELECT max(id) FROM {table}")) for table in ("thing", "song")))

    assert numbers == [(9, 2), (9, 2)]


def test_a_value_that_the_other_kind_cannot_keep_stops_the_import_and_leaves_nothing(typed, tmp_path):
    with typed._sites["main"].provisioner.owner_connection(Place(database=typed.tenant("acme").database)) as connection:
        connection.execute(text("ALTER TABLE thing ALTER price TYPE numeric"))
        connection.execute(text("UPDATE thing SET price = 0.12345678901234567890123 WHERE id = 1"))
        connection.commit()
    typed.exports.create("acme", tmp_path / "acme.zip")

    with pytest.raises(OperationFailed, match="thing has 7 rows of 7, or other values") as caught:
        typed.exports.load(tmp_path / "acme.zip", "file", region="files")

    assert isinstance(caught.value.__cause__, NotVerified)
    assert (caught.value.is_undone, typed.exists("file"), typed.orphans()) == (True, False, [])


def test_references_triggers_and_views_are_there_again_after_an_import(typed, tmp_path):
    with typed._sites["main"].provisioner.owner_connection(Place(database=typed.tenant("acme").database)) as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_constraint WHERE contype = 'f'")) == 2
    typed.exports.create("acme", tmp_path / "acme.zip")

    typed.exports.load(tmp_path / "acme.zip", "copy", region="pg")

    with typed.use("copy"), typed.session() as db, pytest.raises(IntegrityError):
        db.execute(text("INSERT INTO song (title, artist_id) VALUES ('nobody sings', 999)"))


def test_what_sqlite_would_keep_as_null_is_refused_too(typed, tmp_path):
    with typed.use("acme"), typed.session() as db:
        db.execute(text("UPDATE thing SET ratio = 'NaN' WHERE id = 1"))
        db.commit()
    typed.exports.create("acme", tmp_path / "acme.zip")

    with pytest.raises(OperationFailed, match="or other values"):
        typed.exports.load(tmp_path / "acme.zip", "file", region="files")

    assert (typed.exists("file"), typed.exports.load(tmp_path / "acme.zip", "copy", region="pg").rows) == (False, 9)
