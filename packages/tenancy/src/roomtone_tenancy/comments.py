"""The tenant in a comment behind each statement, where the server shows what it is doing."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.interfaces import DBAPICursor, ExecutionContext

OPTION = "roomtone_comment"
"""The execution option with an engine's comment."""
_FORMATS = ("format", "pyformat")


def comment_of(key: str) -> str:
    """The comment for a tenant's statements; whatever the key holds, it neither ends the comment nor begins a statement.

    Source: https://google.github.io/sqlcommenter/spec/
    """
    return f"/*tenant='{quote(key, safe='')}'*/"


def add_comments(engine: Engine) -> None:
    """Have the comment of the option sent with each statement of this engine.

    It is added to what the driver gets, after SQLAlchemy's cache of compiled statements, and is always the same for one connection: the
    driver goes on preparing statements.
    """
    event.listen(engine, "before_cursor_execute", _append, retval=True)


def _append(  # noqa: PLR0917 -- the signature is SQLAlchemy's
    connection: Connection,
    cursor: DBAPICursor,  # noqa: ARG001
    statement: str,
    parameters: Any,
    context: ExecutionContext | None,
    executemany: bool,  # noqa: ARG001
) -> tuple[str, Any]:
    options: Any = connection.get_execution_options()
    comment: str = options[OPTION]
    is_formatted = bool(parameters) or context is None or not context.no_parameters
    if is_formatted and connection.dialect.paramstyle in _FORMATS:
        comment = comment.replace("%", "%%")  # the driver looks for its parameters in it
    return f"{statement} {comment}", parameters
