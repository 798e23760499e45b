from __future__ import annotations

import math
import sqlite3
import uuid
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from roomtone_tenancy import Server
from roomtone_tenancy.life.portable.postgresql import PostgresBooks
from roomtone_tenancy.life.portable.sqlite import SqliteBooks, _decoded
from roomtone_tenancy.life.portable.tables import Digest
from roomtone_tenancy.life.portable.values import Column, check, meaning
from roomtone_tenancy.provisioners import Place

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
PG = {
    "small": ("bigint", st.integers(-(2**63), 2**63 - 1)),
    "exact": ("numeric(20, 6)", st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**8), max_value=10**8)),
    "ratio": ("double precision", st.floats(allow_nan=False).map(lambda number: number + 0.0)),  # SQLite has no -0.0
    "is_on": ("boolean", st.booleans()),
    "data": ("bytea", st.binary(max_size=40)),
    "day": ("date", st.dates()),
    "clock": ("time", st.times()),
    "moment": ("timestamptz", st.datetimes(min_value=datetime(1, 1, 2), timezones=st.just(UTC))),  # noqa: DTZ001 -- with the zone beside it
    "wall": ("timestamp", st.datetimes()),
    "facts": ("json", st.none() | TEXT),
    "ref": ("uuid", st.uuids()),
    "words": ("text[]", st.lists(st.none() | TEXT, max_size=4)),
    "note": ("text", TEXT),
}
LITE = {
    "small": "BIGINT", "exact": "NUMERIC(20, 6)", "ratio": "FLOAT", "is_on": "BOOLEAN", "data": "BLOB", "day": "DATE", "clock": "TIME",
    "moment": "DATETIME", "wall": "DATETIME", "facts": "JSON", "ref": "CHAR(32)", "words": "JSON", "note": "TEXT",
}  # fmt: skip
rows = st.lists(st.fixed_dictionaries({name: st.none() | values for name, (_, values) in PG.items()}), max_size=4)


@pytest.fixture(scope="module")
def both(postgres_url, tmp_path_factory):
    """A table of every type on PostgreSQL and its like on SQLite, and what reads and fills them."""
    folder, name = tmp_path_factory.mktemp("values"), f"values_{uuid.uuid4().hex[:12]}"
    url = postgres_url.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f'CREATE ROLE "{name}_owner" NOLOGIN')
        admin.execute(f'CREATE DATABASE "{name}" OWNER "{name}_owner"')
    columns = ", ".join(f'"{column}" {declared}' for column, (declared, _) in PG.items())
    with psycopg.connect(url.rsplit("/", 1)[0] + f"/{name}", autocommit=True) as inside:
        inside.execute(f'SET ROLE "{name}_owner"')
        for table in ("given", "back"):
            inside.execute(f"CREATE TABLE public.{table} ({columns})")
        lite, place = SqliteBooks(Server("files", f"sqlite:///{folder}")), Place(database=name)
        lite.blank(place)
        with closing(sqlite3.connect(folder / f"{name}.sqlite3")) as file:
            file.execute(f"CREATE TABLE given ({', '.join(f'{column} {LITE[column]}' for column in PG)})")
        yield PostgresBooks(Server("main", postgres_url)), lite, place, inside
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        admin.execute(f'DROP ROLE "{name}_owner"')


def _carry(source, target, place, *, into="given"):
    """Rows of the table `given` from one server to the other's table, compared as an import compares them."""
    with source.reading(place) as reading, target.filling(place) as filling:
        origin, found = next(it for it in reading.tables if it.name == "given"), next(it for it in filling.tables if it.name == into)
        if into == "given":
            filling.clear()
        before, after = Digest(origin, found), Digest(origin, found)
        filling.insert(found, origin, (before.add(row) for row in reading.rows(origin)))
        filling.finish()
    with target.reading(place) as reading:
        for row in reading.rows(found):
            after.add(row)
    return before.value(), after.value()


@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=[HealthCheck.too_slow])
@given(rows=rows)
def test_values_of_every_type_go_to_sqlite_and_come_back_the_same(both, rows):
    postgres, lite, place, inside = both
    inside.execute("DELETE FROM public.given; DELETE FROM public.back")
    for row in rows:
        bound = {**row, "facts": None if row["facts"] is None else psycopg.types.json.Json(row["facts"])}
        names, marks = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        inside.execute(f"INSERT INTO public.given ({names}) VALUES ({marks})", bound)

    there = _carry(postgres, lite, place)
    back = _carry(lite, postgres, place, into="back")

    ordered = "SELECT array_agg(t::text ORDER BY t::text) FROM public.{} t"
    expected, found = (inside.execute(ordered.format(table)).fetchone() for table in ("given", "back"))
    assert there[0] == there[1]
    assert back[0] == back[1]
    assert expected == found


@pytest.mark.parametrize(
    ("given", "found", "one", "other"),
    [
        ("decimal", "decimal", "1.50", "1.5"),
        ("decimal", "integer", "100", 100),
        ("decimal", "float", "0.10", 0.1),
        ("boolean", "integer", True, 1),
        ("instant", "datetime", "2026-01-02T03:04:05.600000+00:00", "2026-01-02 03:04:05.600000"),
        ("date", "datetime", "2026-01-02", "2026-01-02 00:00:00"),
        ("time", "time", "03:04:05.600000", "03:04:05.6"),
        ("uuid", "text", "0f8fad5b-d9cb-469f-a165-70867728950e", "0f8fad5bd9cb469fa16570867728950e"),
        ("array of text", "json", ["a", None], '["a", null]'),
        ("json", "json", '{"a": 1.0, "b": [1]}', '{"b":[1],"a":1}'),
    ],
)
def test_the_same_is_the_same_however_it_is_written(given, found, one, other):
    say = meaning(given, found)

    assert say(one) == say(other) == meaning(found, given)(other)


@pytest.mark.parametrize(
    ("given", "found", "one", "other"),
    [
        ("text", "text", "1.50", "1.5"),
        ("decimal", "decimal", "0.1234567890123456789", "0.12345678901234568"),
        ("json", "json", '"1"', "1"),
        ("json", "json", '{"object": {}}', "{}"),
        ("instant", "datetime", "2026-01-02T03:04:05.600000+00:00", "2026-01-02 03:04:05.6001"),
        ("json", "json", "true", "1"),
        ("array of text", "json", [None], '["null"]'),
    ],
)
def test_what_is_another_value_is_not_taken_for_the_same(given, found, one, other):
    say = meaning(given, found)

    assert say(one) != say(other)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", True),
        ("integer", "1"),
        ("boolean", 1),
        ("text", 1),
        ("text", []),
        ("bytes", {"storage": "x", "value": 1}),
        ("array of integer", ["1"]),
        ("array of text", "a"),
        ("float", []),
    ],
)
def test_a_value_of_another_kind_is_refused(kind, value):
    with pytest.raises(ValueError, match="is no value of kind"):
        check(kind, value)


@settings(max_examples=200)
@given(st.one_of(st.decimals(allow_nan=False, allow_infinity=False), st.integers(-(2**70), 2**70), st.floats(allow_nan=False)))
def test_numbers_mean_themselves(number):
    text = repr(number) if isinstance(number, float) else str(number)
    say = meaning("decimal", "decimal")

    if isinstance(number, float) and math.isinf(number):
        assert say(text) == str(Decimal(text))
    else:
        assert Decimal(say(text)) == Decimal(text)


def test_sqlite_keeps_what_it_has_in_a_column_of_another_kind(tmp_path):
    lite, place = SqliteBooks(Server("files", f"sqlite:///{tmp_path}")), Place(database="odd")
    lite.blank(place)
    odd = [(b"\x00", "text"), ("text", 5), (2.5, b"x"), (float("inf"), None), (1, "")]
    with closing(sqlite3.connect(tmp_path / "odd.sqlite3")) as file:
        file.execute("CREATE TABLE given (number INTEGER, data BLOB)")
        file.executemany("INSERT INTO given VALUES (?, ?)", odd)
        file.commit()

    before, after = _copied(lite, place)

    assert before == after == odd


def _copied(lite, place):
    with lite.reading(place) as reading:
        (table,) = reading.tables
        rows = [list(row) for row in reading.rows(table)]
        plain = reading._connection.execute("SELECT * FROM given").fetchall()
    with lite.filling(place) as filling:
        filling.clear()
        filling.insert(table, table, rows)
        filling.finish()
    with lite.reading(place) as reading:
        return plain, reading._connection.execute("SELECT * FROM given").fetchall()


def test_a_number_too_large_for_sqlite_is_refused():
    with pytest.raises(ValueError, match="more than 64 bits"):
        _decoded("integer", Column(name="n", kind="integer"), 2**63)

    assert _decoded("integer", Column(name="n", kind="integer"), -(2**63)) == -(2**63)
