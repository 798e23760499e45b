"""What every command needs: the host's billing, errors as sentences, and tables or JSON."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import BillingError

if TYPE_CHECKING:
    from ..billing import Billing

T = TypeVar("T")


def tried(call: Callable[[], T]) -> T:
    """What the call returns; an error of ours becomes the command's."""
    try:
        return call()
    except BillingError as error:
        raise click.ClickException(str(error)) from error


def _load(name: str) -> Billing:
    """The billing that `module:factory` makes."""
    from ..billing import Billing  # with SQLAlchemy, which `offline-stripe` starts without

    module, _, factory = name.partition(":")
    try:
        made = getattr(importlib.import_module(module), factory)()
    except (ImportError, AttributeError, ValueError) as error:
        raise click.UsageError(f"--app {name}: {error}; name a function without arguments as module:function") from error
    if not isinstance(made, Billing):
        raise click.UsageError(f"--app {name} makes a {type(made).__name__}, not a Billing")
    return made


app = click.option(
    "--app", "billing", required=True, metavar="MODULE:FACTORY", callback=lambda _, __, name: _load(name), help="The host's Billing."
)
as_json = click.option("--json", "is_json", is_flag=True, help="Print JSON, for programs.")


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table as wide as the terminal."""
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None, pad_edge=False)
    for heading in headings:
        shown.add_column(heading, overflow="fold")
    for row in rows:
        shown.add_row(*("" if cell is None else str(cell) for cell in row))
    # A pipe has no width of its own, and folded lines are hard to search.
    Console(width=None if sys.stdout.isatty() else 240, highlight=False).print(shown)


def dump(value: object) -> None:
    """Print a value of ours, or a list of them, as JSON."""
    click.echo(json.dumps(_plain(value), default=str, indent=2))


def _plain(value: Any) -> object:  # Any: a dataclass of any kind
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
