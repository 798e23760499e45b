"""What all commands share: tables for people, JSON for programs, errors as one line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from ..errors import TenancyError
from ..tenant import Tenant

as_json_option = click.option("--json", "as_json", is_flag=True, help="For programs: JSON on standard output.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on a terminal; in a pipe a line for each row, its cells parted by tabs, without the columns' names."""
    console = Console()
    if not console.is_terminal:
        for row in rows:
            click.echo("\t".join(str(cell) for cell in row))
        return
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    console.print(table, markup=False)


def print_json(value: Any) -> None:  # what JSON holds
    """Everything of one answer, in one piece."""
    click.echo(json.dumps(value, indent=2))


def facts_of(tenant: Tenant) -> dict[str, Any]:  # what JSON holds
    """A tenant for programs."""
    fields = ("key", "state", "revision", "server", "database", "epoch")
    return {name: getattr(tenant, name) for name in fields} | {"domains": list(tenant.domains), "created_at": tenant.created_at.isoformat()}


@contextmanager
def plain_errors() -> Iterator[None]:
    """Show this package's errors as one line."""
    try:
        yield
    except TenancyError as error:
        raise click.ClickException(str(error)) from error
