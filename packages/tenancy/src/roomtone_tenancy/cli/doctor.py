"""`doctor`: what needs attention."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from textwrap import indent

import click
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.syntax import Syntax
from rich.text import Text

from ..doctor import Diagnosis, Finding, Severity, Where
from ..tenancy import Tenancy
from .application import pass_tenancy
from .output import as_json_option, plain_errors, print_json

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow"}
_LANGUAGES = {Where.SHELL: "bash", Where.SQL: "sql", Where.CODE: "python"}


@click.command()
@click.option("--sample", default=20, show_default=True, type=click.IntRange(min=0), help="Databases of each server to look into.")
@click.option("--all", "is_all", is_flag=True, help="Look into all of them instead.")
@click.option("--errors", is_flag=True, help="Leave warnings out.")
@as_json_option
@pass_tenancy
def doctor(tenancy: Tenancy, *, sample: int, is_all: bool, errors: bool, as_json: bool) -> None:
    """Say what is wrong, why it matters and what mends it.

    Changes nothing. Exit status 1 when something was found, 2 when an error was.
    """
    with plain_errors():
        found = tenancy.doctor(sample=None if is_all else sample)
    shown = [it for it in found.findings if it.severity is Severity.ERROR or not errors]
    if as_json:
        print_json(found.to_json() | {"findings": [it.to_json() for it in shown]})
    elif (console := Console()).is_terminal:
        for part in (*map(_panel, shown), *(Text(line) for line in _left_out(found)), _verdict(found, shown)):
            console.print(part)
    else:
        for line in (*map(_plain, shown), *_left_out(found), str(_verdict(found, shown))):
            click.echo(line)
    if shown:
        sys.exit(2 if any(it.severity is Severity.ERROR for it in shown) else 1)


COMMANDS = (doctor,)


def _panel(it: Finding) -> RenderableType:
    """One finding, coloured and wrapped; the fix at the margin of its own, so that it can be marked and copied."""
    title = Text.assemble((f"{it.severity} ", _STYLES[it.severity]), (it.subject, "bold"), f": {it.what}")
    fix = Syntax(it.fix.text, _LANGUAGES[it.fix.where], theme="ansi_dark", background_color="default", word_wrap=True)
    parts = ((Text(it.why, style="dim"), 2), (Text(_place(it), style="bold"), 2))
    return Group(title, *(Padding(part, (0, 0, 0, by)) for part, by in parts), Padding(fix, (0, 0, 1, 4)))


def _plain(it: Finding) -> str:
    return f"{it.severity} {it.subject}: {it.what}\n  {it.why}\n  {_place(it)}\n{indent(it.fix.text, '    ')}"


def _place(it: Finding) -> str:
    if it.fix.where is Where.SQL:
        return f"Run on {it.fix.server}, in the database {it.fix.database}:"
    return "Run:" if it.fix.where is Where.SHELL else "Write:"


def _left_out(found: Diagnosis) -> Iterator[str]:
    for check, count in found.more.items():
        yield f"and {count} more of the check {check!r}"


def _verdict(found: Diagnosis, shown: list[Finding]) -> Text:
    errors = sum(it.severity is Severity.ERROR for it in shown)
    verdict = f"{_count(errors, 'error')}, {_count(len(shown) - errors, 'warning')}" if shown else "all is well"
    seen = f" ({found.looked_into} of {found.tenants} databases looked into, {found.seconds:.1f} s)"
    return Text.assemble((verdict, "bold red" if errors else "bold yellow" if shown else "bold green"), (seen, "dim"))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
