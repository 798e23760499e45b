"""Logs in to one PostgreSQL server again and again: the key that a password makes is derived once, not for each connection.

SCRAM makes that slow on purpose, some thousand rounds of a hash, and libpq keeps Python's other threads waiting meanwhile. A run over a
fleet logs in as the same administrator for every tenant; the rounds were half of what a tenant cost.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import psycopg
from psycopg import errors as pg

_LIBPQ_WITH_KEYS = 180_000
_METHOD = "SCRAM-SHA-256"
_VERIFIER = "SELECT rolpassword FROM pg_authid WHERE rolname = session_user"


@dataclass(kw_only=True)
class Scram:
    """The key of one login. Until it is known, and wherever it cannot be, connections are made with the password as ever."""

    _options: Mapping[str, str] | None = field(
        default=None, init=False, repr=False
    )  # None: not asked yet; they are as secret as the password

    def connect(self, connect: Callable[..., psycopg.Connection], password: object) -> psycopg.Connection:
        """Connect.

        Args:
            connect: takes libpq's options, besides its own.
        """
        if self._options:
            try:
                return connect(**self._options)
            except psycopg.OperationalError:
                self._options = None  # the password may have been changed: only it can tell
        connection = connect()
        if self._options is None:
            self._options = _options(connection, password) if isinstance(password, str) else {}
        return connection


def _options(connection: psycopg.Connection, password: str) -> Mapping[str, str]:
    """The key, if the server asked for the password and lets this login see with which salt it keeps it; a superuser may."""
    if psycopg.pq.version() < _LIBPQ_WITH_KEYS or not connection.pgconn.used_password or not password.isascii():
        return {}
    try:
        row = connection.execute(_VERIFIER).fetchone()
    except pg.InsufficientPrivilege:
        return {}
    return options_of(row[0] if row is not None else None, password)


def options_of(verifier: str | None, password: str) -> Mapping[str, str]:
    """libpq's options that stand for a password; none if the verifier, as the server keeps it, is of another password or kind."""
    if verifier is None or not verifier.startswith(f"{_METHOD}$"):
        return {}
    salted, keys = verifier.removeprefix(f"{_METHOD}$").split("$")
    rounds, salt = salted.split(":")
    secret = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(rounds))
    client, server = (hmac.digest(secret, name, "sha256") for name in (b"Client Key", b"Server Key"))
    if keys.split(":") != [_text(hashlib.sha256(client).digest()), _text(server)]:
        return {}
    return {"scram_client_key": _text(client), "scram_server_key": _text(server)}


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()
