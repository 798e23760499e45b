from __future__ import annotations

import pytest
from sqlalchemy import select, text

from roomtone_tenancy.watching import leaves_state


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT artist.id FROM artist WHERE artist.id = %(id_1)s",
        "  insert into song (title) values (%s) returning id",
        "UPDATE song SET title = 'x'",
        "DELETE FROM song",
        "WITH few AS (SELECT 1) SELECT * FROM few",
        "SAVEPOINT sa_savepoint_1",
    ],
)
def test_plain_statements_leave_nothing(statement):
    assert not leaves_state(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SET search_path = other",
        "SELECT set_config('app.user', 'eve', false)",
        "SELECT pg_advisory_lock(1)",
        "SELECT 1; SET ROLE x",
        "SELECT 1 INTO TEMPORARY left_over",
        "LISTEN gossip",
        "DO $$ BEGIN PERFORM 1; END $$",
        "CALL something()",
        "PREPARE mine AS SELECT 1",
        "",
    ],
)
def test_whatever_may_leave_state_is_noticed(statement):
    assert leaves_state(statement)


def test_a_session_of_plain_queries_is_not_reset_and_one_with_more_is(postgres_site):
    tenancy = postgres_site.tenancy()
    postgres_site.make(tenancy, "a")

    def after(statement):
        with tenancy.use("a"), tenancy.session() as session:
            raw = session.connection().connection.driver_connection
            session.execute(statement)
            session.commit()
        return raw.is_cleaning

    after(select(postgres_site.Artist))  # SQLAlchemy asks the server this and that on the first connection

    assert [after(select(postgres_site.Artist)), after(text("SET work_mem = '1MB'")), after(select(postgres_site.Artist))] == [
        False,
        True,
        False,
    ]


def test_bytes_composed_statements_and_named_cursors_count_as_state(postgres_site):
    tenancy = postgres_site.tenancy()
    postgres_site.make(tenancy, "a")
    for use in (lambda raw: raw.execute(b"SELECT 1"), lambda raw: raw.cursor("mine").close()):
        with tenancy.use("a"), tenancy.session() as session:
            raw = session.connection().connection.driver_connection
            use(raw)

            assert raw.is_dirty
