"""PostgreSQL connections that notice when a statement may leave state behind in their session. Needs psycopg."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import psycopg

STATEMENTS_MAX = 2_000
_HARMLESS = re.compile(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH|VALUES|SAVEPOINT|RELEASE|ROLLBACK TO)\b", re.IGNORECASE)
# Functions and clauses of such statements that outlive their transaction, and a second statement behind the first.
_SUSPECT = re.compile(r"set_config|advisory|currval|lastval|nextval|setval|temp|dblink|;", re.IGNORECASE)


@lru_cache(STATEMENTS_MAX)
def leaves_state(statement: str) -> bool:
    """Whether a session may differ after the statement's transaction. Errs towards yes, but does not know what the tenant's
    own functions and triggers do."""
    return _HARMLESS.match(statement) is None or _SUSPECT.search(statement) is not None


class WatchedCursor(psycopg.Cursor[Any]):
    """Tells its connection of statements that leave state."""

    connection: WatchedConnection

    def execute(self, query: Any, params: Any = None, **options: Any) -> WatchedCursor:  # as psycopg's
        """As psycopg's."""
        self.connection.notice(query)
        super().execute(query, params, **options)
        return self

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:  # as psycopg's
        """As psycopg's."""
        self.connection.notice(query)
        super().executemany(query, params_seq, **options)

    def stream(self, query: Any, *arguments: Any, **options: Any) -> Any:  # as psycopg's
        """As psycopg's."""
        self.connection.notice(query)
        return super().stream(query, *arguments, **options)


class WatchedConnection(psycopg.Connection[Any]):
    """A connection that knows whether it has to be cleaned.

    Attributes:
        is_dirty: some statement may have left state since it was lent.
        is_cleaning: resets were sent, and their answer is not read yet.
    """

    is_dirty = False
    is_cleaning = False

    def __init__(self, *arguments: Any, **options: Any) -> None:  # as psycopg's
        super().__init__(*arguments, **options)
        self.cursor_factory = WatchedCursor

    def notice(self, query: object) -> None:
        """Look at a statement that is about to run."""
        if not self.is_dirty:
            self.is_dirty = not isinstance(query, str) or leaves_state(query)

    def cursor(self, name: str = "", **options: Any) -> Any:  # as psycopg's
        """As psycopg's. A cursor of the server's may be kept beyond its transaction."""
        self.is_dirty = self.is_dirty or bool(name)
        return super().cursor(name, **options)
