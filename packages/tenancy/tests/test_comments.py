from __future__ import annotations

import re
import sqlite3
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, event, text

from roomtone_tenancy.comments import OPTION, add_comments, comment_of


@pytest.fixture
def tenancy(site):
    tenancy = site.tenancy(sql_comments=True)
    for key in ("acme", "globex"):
        site.make(tenancy, key)
    return tenancy


@pytest.fixture
def sent(tenancy):
    """What the driver gets, from now on."""
    statements = []
    with tenancy.use("acme"), tenancy.session() as session:
        event.listen(session.get_bind(), "after_cursor_execute", lambda _, __, statement, *___: statements.append(statement))
    return statements


@given(st.text())
def test_no_key_ends_its_comment_or_its_value(key):
    comment = comment_of(key)

    found = re.fullmatch(r"/\*tenant='([^'*]*)'\*/", comment)
    assert found is not None
    assert unquote(found[1]) == key
    assert comment.isascii()


def test_each_statement_names_its_tenant(site, tenancy, sent):
    with tenancy.use("acme"), tenancy.session() as session:
        session.add_all([site.Artist(name="Nina"), site.Artist(name="Ella")])
        session.flush()
        session.execute(text("SELECT name FROM artist WHERE name LIKE :like"), {"like": "N%"})
        session.execute(text("UPDATE artist SET name = :name WHERE id = :id"), [{"name": "a", "id": 1}, {"name": "b", "id": 2}])
        session.rollback()
    with tenancy.use("globex"), tenancy.session() as session:
        session.execute(text("SELECT 1"))

    assert [statement.endswith(" /*tenant='acme'*/") for statement in sent] == [True] * (len(sent) - 1) + [False]
    assert len(sent) >= 4
    assert sent[-1] == "SELECT 1 /*tenant='globex'*/"


def test_nothing_is_added_unless_it_was_asked_for(site):
    tenancy, sent = site.tenancy(), []
    site.make(tenancy, "acme")

    with tenancy.use("acme"), tenancy.session() as session:
        event.listen(session.get_bind(), "after_cursor_execute", lambda _, __, statement, *___: sent.append(statement))
        session.execute(text("SELECT 1"))

    assert sent == ["SELECT 1"]


def test_the_server_shows_whose_statement_it_works_on(postgres_site):
    tenancy = postgres_site.tenancy(sql_comments=True)
    postgres_site.make(tenancy, "acme")

    with tenancy.use("acme"), tenancy.session() as session:
        session.execute(text("SELECT name FROM artist"))
        with postgres_site.admin() as admin:
            shown = [query for (query,) in admin.execute("SELECT query FROM pg_stat_activity WHERE query LIKE 'SELECT name FROM artist%'")]

    assert shown == ["SELECT name FROM artist /*tenant='acme'*/"]


def test_the_driver_goes_on_preparing_statements(postgres_site):
    tenancy = postgres_site.tenancy(sql_comments=True)
    postgres_site.make(tenancy, "acme")

    with tenancy.use("acme"), tenancy.session() as session:
        for number in range(10):
            session.execute(text("SELECT name FROM artist WHERE id = :id"), {"id": number})
        prepared = session.scalars(text("SELECT statement FROM pg_prepared_statements")).all()

    assert len([statement for statement in prepared if statement.startswith("SELECT name FROM artist")]) == 1


def test_sqlalchemy_goes_on_remembering_what_it_compiled(site, tenancy):
    seen = []
    with tenancy.use("acme"), tenancy.session() as session:
        event.listen(
            session.get_bind(), "after_cursor_execute", lambda _, __, ___, ____, context, _____: seen.append(context.cache_hit.name)
        )
        for number in range(3):
            session.get(site.Artist, number)
    with tenancy.use("globex"), tenancy.session() as session:
        session.get(site.Artist, 1)

    assert seen[1:] == ["CACHE_HIT"] * 3


def test_a_renamed_tenants_statements_name_its_new_key(site, tenancy, sent):
    site.change(tenancy.rename, "acme", "acme-2")

    with tenancy.use("acme-2"), tenancy.session() as session:
        session.execute(text("SELECT 1"))

    assert sent == ["SELECT 1 /*tenant='acme-2'*/"]


@pytest.mark.parametrize("options", [{}, {"no_parameters": True}], ids=["formatted", "as it is"])
def test_percent_signs_of_a_comment_are_no_parameters(postgres_url, options):
    comment, shown = comment_of("ä*/ %s"), []
    engine = create_engine(postgres_url, execution_options={OPTION: comment})
    add_comments(engine)

    with engine.connect() as connection:
        statement = "SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()"
        shown.append(connection.exec_driver_sql(statement, execution_options=options).scalar_one())
    engine.dispose()

    assert shown == [f"SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid() {comment}"]


def test_sqlite_reads_the_comment_as_one():
    with sqlite3.connect(":memory:") as connection:
        found = connection.execute(f"SELECT 1 {comment_of('acme*/; DROP')}").fetchall()
    connection.close()

    assert found == [(1,)]
