"""What a revision sends to a database, written down once to be sent to others, if a check proves that it cannot depend on them.

The proof of a revision has three parts; the first that fails names the reason, and Alembic runs the revision as ever.

1. Its source can reach no other database: it imports Alembic, SQLAlchemy and pure parts of the standard library only, makes no
   engine, opens no file and evaluates no text.
2. It runs to its end *blind*, twice and with the same statements: its connection knows its dialect and answers nothing. Whatever asks
   it, `op.get_bind()` to execute, reflection, a row count, fails there. What does not ask cannot depend on the answer.
3. A tenant for which Alembic really ran it got exactly these statements, without parameters.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Dialect, Executable, event, text
from sqlalchemy.schema import DDLElement

from ..errors import TenancyError
from ..revisions import ALEMBIC_PROXIES, Revisions

_PURE = frozenset(
    {"__future__", "alembic", "collections", "dataclasses", "datetime", "decimal", "enum", "functools", "hashlib", "itertools", "json"}
    | {"math", "re", "sqlalchemy", "string", "textwrap", "typing", "uuid"}
)
_DOORS = frozenset(
    {"create_engine", "create_async_engine", "create_pool_from_url", "engine_from_config", "async_engine_from_config", "URL", "make_url"}
    | {"connect", "dbapi", "import_dbapi", "context", "__import__", "__builtins__", "eval", "exec", "compile", "open", "globals", "vars"}
    | {"getattr"}
)


class NotReplayable(TenancyError):
    """Why a revision's statements may not be sent as they are recorded. Alembic runs it instead: no caller ever sees this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One revision as statements.

    Args:
        before: the revision that it comes after.
        statements: as the driver takes them when there are no parameters.
    """

    revision: str
    before: str
    statements: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Tells whether another process recorded the same."""
        return hashlib.sha256(json.dumps([self.before, self.revision, *self.statements]).encode()).hexdigest()


def render(revisions: Revisions, dialect: Dialect, revision: str) -> Step:
    """Record one revision without a database.

    Raises:
        NotReplayable: a part of the proof failed; the message says which.
    """
    script = revisions.script.get_revision(revision)
    assert script is not None
    if not isinstance(script.down_revision, str) or script.dependencies:
        raise NotReplayable("it has not exactly one revision before it")
    check_source(Path(script.path).read_text())
    first, second = (run_blind(revisions, dialect, script.module.upgrade) for _ in range(2))
    if first != second:
        raise NotReplayable("two runs gave different statements")
    return Step(revision=revision, before=script.down_revision, statements=first)


def check_source(source: str) -> None:
    """Part 1 of the proof.

    Raises:
        NotReplayable: the source has a door to the outside.
    """
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                _check_names([alias.name.partition(".")[0] for alias in names], inside=_PURE)
            case ast.ImportFrom(module=module, names=names, level=level):
                _check_names(
                    ["." * level + (module or "")], inside={module} if not level and (module or "").partition(".")[0] in _PURE else ()
                )
                _check_names([alias.name for alias in names], outside=_DOORS)
            case ast.Name(id=name) | ast.Attribute(attr=name):
                _check_names([name], outside=_DOORS)
            case _:
                pass


def _check_names(names: Sequence[str], *, inside: Any = None, outside: Any = ()) -> None:  # containers of names
    for name in names:
        if name in outside or (inside is not None and name not in inside):
            raise NotReplayable(f"its source names {name!r}, which might reach something outside")


class _Nobody:
    """A connection that knows its dialect and answers nothing; that it was asked is remembered, even if the revision catches the error."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.asked: str | None = None

    def __getattr__(self, name: str) -> NoReturn:
        self.asked = name
        raise NotReplayable(f"it asks its connection ({name})")


def run_blind(revisions: Revisions, dialect: Dialect, upgrade: Callable[[], object]) -> tuple[str, ...]:
    """Part 2 of the proof: what `upgrade` writes. `alembic.context` is not there at all.

    Raises:
        NotReplayable: it cannot do without a database.
    """
    written: list[str] = []  # not by Alembic's own writer, which turns tabs into blanks, also within strings
    nobody = _Nobody(dialect)
    options = {"as_sql": True, "literal_binds": True, "target_metadata": revisions.metadata, "version_table": revisions.version_table}
    blind: Any = MigrationContext(dialect, None, {**options, "transactional_ddl": True})
    blind.as_sql = False  # a revision cannot tell that it is blind; what Alembic writes with keeps its own note
    blind.connection = blind.impl.connection = nobody
    blind.impl._exec = lambda construct, *_arguments, **_options: written.append(_text(construct, dialect))
    try:
        with ALEMBIC_PROXIES, Operations.context(blind):
            upgrade()
    except NotReplayable:
        raise
    except Exception as error:
        raise NotReplayable(f"it does not run without a database ({type(error).__name__}: {error})") from error
    if nobody.asked is not None:
        raise NotReplayable(f"it asks its connection ({nobody.asked})")
    return tuple(written)


@dataclass(kw_only=True)
class Recorder:
    """Part 3 of the proof: hears what Alembic sends while it really runs revisions on a connection."""

    sent: dict[str, list[str] | None] = field(default_factory=dict)
    _now: list[tuple[str, Any]] = field(default_factory=list)  # Any: the driver's parameters

    def hear(self, connection: Connection, steps: Iterator[Any]) -> Iterator[Any]:  # Any: Alembic's steps
        """Give the steps on, and take down what each of them sends."""
        event.listen(connection, "before_cursor_execute", self._executed)
        try:
            for step in steps:
                self._now.clear()
                yield step
                revisions = step.to_revisions
                *statements, _version = self._now
                if len(revisions) == 1:
                    plain = [_plain(statement, connection.dialect) for statement, parameters in statements if not parameters]
                    self.sent[revisions[0]] = plain if len(plain) == len(statements) else None
        finally:
            event.remove(connection, "before_cursor_execute", self._executed)

    def check(self, step: Step) -> None:
        """Compare.

        Raises:
            NotReplayable: they differ, or had parameters.
        """
        sent = self.sent.get(step.revision)
        if sent is None:
            raise NotReplayable("its statements have parameters")
        if tuple(sent) != step.statements:
            raise NotReplayable("Alembic sent other statements than were recorded without a database")

    def _executed(self, _connection: Connection, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:  # the driver's
        self._now.append((statement, parameters))


def _text(construct: Executable | str, dialect: Dialect) -> str:
    element: Any = text(construct) if isinstance(construct, str) else construct  # what Alembic executes
    literal = {} if isinstance(element, DDLElement) else {"compile_kwargs": {"literal_binds": True}}
    return _plain(str(element.compile(dialect=dialect, **literal)), dialect)


def _plain(statement: str, dialect: Dialect) -> str:
    """As the driver takes it without parameters: where those are written with '%', SQLAlchemy doubles every other one."""
    return statement.replace("%%", "%") if dialect.identifier_preparer._double_percents else statement
