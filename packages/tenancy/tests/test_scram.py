from __future__ import annotations

import uuid
from functools import partial

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from roomtone_tenancy.provisioners.scram import Scram, options_of


@pytest.fixture(params=["SUPERUSER", "NOSUPERUSER"])
def login(request, postgres_url):
    """The URL of a login that may, or may not, see with which salt its password is kept."""
    name, url = f"login_{uuid.uuid4().hex[:12]}", make_url(postgres_url)
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN {} PASSWORD 'first'").format(sql.Identifier(name), sql.SQL(request.param)))
        yield url.set(drivername="postgresql", username=name, password="first"), admin
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def who(scram, url):
    with scram.connect(partial(psycopg.connect, url.render_as_string(hide_password=False), autocommit=True), url.password) as connection:
        return connection.execute("SELECT session_user").fetchone()[0]


def verifier(admin, password):
    return admin.pgconn.encrypt_password(password.encode(), b"somebody", b"scram-sha-256").decode()


def test_every_connection_is_the_same_login(login):
    url, _ = login
    scram = Scram()

    assert [who(scram, url) for _ in range(3)] == [url.username] * 3
    assert "first" not in repr(scram)


def test_a_password_that_was_set_anew_is_asked_for_again(login):
    url, admin = login
    scram = Scram()
    who(scram, url)
    admin.execute(sql.SQL("ALTER ROLE {} PASSWORD 'first'").format(sql.Identifier(url.username)))  # with another salt
    again = who(scram, url)
    admin.execute(sql.SQL("ALTER ROLE {} PASSWORD 'second'").format(sql.Identifier(url.username)))

    with pytest.raises(psycopg.OperationalError):
        who(scram, url)

    assert again == url.username
    assert who(scram, url.set(password="second")) == url.username


def test_the_key_is_that_of_this_password_only(login):
    _, admin = login
    kept = verifier(admin, "right")

    assert options_of(kept, "right").keys() == {"scram_client_key", "scram_server_key"}
    assert options_of(kept, "wrong") == {}


@pytest.mark.parametrize("kept", [None, "md5a5b1c2", "SCRAM-SHA-512$1:c2FsdA==$a:b"])
def test_what_is_kept_otherwise_has_no_key(kept):
    assert options_of(kept, "right") == {}
