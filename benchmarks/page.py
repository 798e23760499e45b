"""The Today page, from the WSGI server's call to the last byte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
from flask import template_rendered
from jinja2 import Template
from sqlalchemy import Connection, Engine
from werkzeug.test import EnvironBuilder, run_wsgi_app

from benchmarks.measure import in_turns, listening
from benchmarks.place import Place
from benchmarks.report import Row


@dataclass
class Tape:
    """What one request asked of its databases, in order, and what it rendered.

    Attributes:
        asked: `(engine, statement, parameters)`, or `(engine, None, None)` at the end of a transaction.
    """

    asked: list[tuple[Engine, str | None, Any]] = field(default_factory=list)  # Any: the driver's parameters
    template: Template | None = None
    variables: dict[str, Any] = field(default_factory=dict)  # Any: template variables

    @property
    def statements(self) -> int:
        """How many statements."""
        return sum(statement is not None for _, statement, _ in self.asked)

    @property
    def transactions(self) -> int:
        """How many transactions."""
        return len(self.asked) - self.statements


def measure(here: Place, runs: int) -> tuple[list[Row], list[str]]:
    """The Today page of a furnished studio; against its bare SQL and its template on data that is there already."""
    key = here.furnished()
    visit = _visit(here, key)
    for _warm in range(3):
        visit()
    tape = _record(here, visit)
    replay, render = _replay(tape), _render(here, key, tape)
    timings = in_turns({"ours": visit, "limit": lambda: _both(replay, render), "sql": replay, "render": render}, runs=runs, warm_up=10)
    rows = [
        Row(what="Today page", ours=timings["ours"], peer="its bare SQL and its template, nothing else", theirs=timings["limit"], bar=3.8)
    ]
    count = f"{tape.statements} statements in {tape.transactions} transactions"
    return rows, [f"The Today page asks {count}; they take {timings['sql']} bare, its template {timings['render']}."]


def _visit(here: Place, key: str) -> Callable[[], object]:
    cookie, host = here.sign_in(key), here.services.settings.studio_host(key)

    def visit() -> None:
        environ = EnvironBuilder(path="/app", base_url=f"http://{host}", headers=[("Cookie", cookie)]).get_environ()
        body, status, _headers = run_wsgi_app(here.app, environ, buffered=True)
        assert status.startswith("200"), status
        assert b"Band 1" in b"".join(body)

    return visit


def _record(here: Place, visit: Callable[[], object]) -> Tape:
    tape = Tape()

    def executed(connection: Connection, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:  # Any: the driver's
        tape.asked.append((connection.engine, statement, parameters))

    def ended(connection: Connection) -> None:
        tape.asked.append((connection.engine, None, None))

    def rendered(_app: object, template: Template, context: dict[str, Any], **_rest: Any) -> None:  # Any: the signal's
        tape.template, tape.variables = template, dict(context)

    hooks: dict[str, Callable[..., None]] = {"before_cursor_execute": executed, "commit": ended, "rollback": ended}
    with template_rendered.connected_to(rendered, here.app.studio), listening(Engine, hooks):
        visit()
    return tape


def _replay(tape: Tape) -> Callable[[], object]:
    """The same statements in the same transactions on warm connections of the driver's own."""
    drivers = {
        engine: psycopg.connect(engine.url.set(drivername="postgresql").render_as_string(hide_password=False))
        for engine, _, _ in tape.asked
    }

    def replay() -> None:
        for engine, statement, parameters in tape.asked:
            if statement is None:
                drivers[engine].commit()
            else:
                found = drivers[engine].execute(statement, parameters or None)
                if found.description is not None:
                    found.fetchall()

    return replay


def _render(here: Place, key: str, tape: Tape) -> Callable[[], object]:
    """The page's template with the variables it had."""

    def render() -> None:
        with here.app.studio.test_request_context("/app", base_url=f"http://{here.services.settings.studio_host(key)}"):
            assert tape.template is not None
            assert "Band 1" in tape.template.render(tape.variables)

    return render


def _both(first: Callable[[], object], second: Callable[[], object]) -> None:
    first()
    second()
