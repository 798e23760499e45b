"""What all commands share: the ledger they work on, tables for people, JSON for programs, refusals as one sentence."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import create_engine

from ..amount import show
from ..credits import AiCredits
from ..errors import CreditsError
from ..pricing import RateCard

# Prices matter to holds and to what is explained or simulated; whoever asks for that names a card.
NO_PRICES = RateCard(version="none")

as_json_option = click.option("--json", "as_json", is_flag=True, help="For programs: JSON, with amounts in micro-credits.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
key_option = click.option("--key", required=True, help="Names this change: repeating the command with it changes nothing twice.")
actor_option = click.option("--actor", default="cli", show_default=True, help="Who does it.")


def with_ledger(command: Callable[..., Any]) -> Callable[..., Any]:  # Any: commands have many shapes
    """Give a command the application's ledger, or one on the database that `--database-url` names."""

    @click.option("--database-url", metavar="URL", help="SQLAlchemy URL, e.g. postgresql+psycopg://user@host/control.")
    @click.option("--card", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Rate card, a JSON file.")
    @functools.wraps(command)
    def run(*, database_url: str | None, card: Path | None, **options: Any) -> Any:
        given = click.get_current_context().find_object(AiCredits)
        prices = read_card(card) if card else given.rate_card if given else NO_PRICES
        with contextlib.ExitStack() as stack:
            if database_url is not None:
                engine = create_engine(database_url)
                stack.callback(engine.dispose)
            elif given is not None:
                engine = given.ledger.engine
            else:
                raise click.UsageError("Missing option '--database-url'.")
            ledger = given if given and not (database_url or card) else AiCredits(engine, rate_card=prices)
            try:
                return command(ledger, **options)
            except CreditsError as refusal:
                raise click.ClickException(str(refusal)) from refusal

    return run


def read_card(path: Path) -> RateCard:
    """Read a rate card from a JSON file."""
    try:
        return RateCard.model_validate_json(path.read_bytes())
    except ValidationError as problem:
        raise click.ClickException(f"{path} is no rate card: {problem}") from problem


def confirm(is_agreed: bool, question: str) -> None:  # the option's own value
    """Ask before something changes, unless `--yes` was given."""
    if not is_agreed:
        click.confirm(question, abort=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    """A table on a terminal; in a pipe a line for each row, its cells parted by tabs. A column whose name ends in `>` is of numbers."""
    lines = [[_cell(value) for value in row] for row in rows]
    console = Console()
    if not console.is_terminal:
        for line in lines:
            click.echo("\t".join(line))
        return
    table = Table(box=None, header_style="bold", pad_edge=False, title=title or None, title_justify="left", title_style="dim")
    for column in columns:
        table.add_column(column.rstrip(">"), justify="right" if column.endswith(">") else "left", overflow="fold")
    for line in lines:
        # Text: what customers are called is not markup.
        table.add_row(*map(Text, line))
    console.print(table)


def print_facts(facts: Sequence[tuple[str, object]]) -> None:
    """What is known of one thing, a line each."""
    print_table(("", ""), facts)


def print_json(value: object) -> None:
    """Everything of one answer, in one piece."""
    click.echo(json.dumps(_plain(value), indent=2))


def micro(value: int) -> str:
    """Micro-credits as credits, with thousands parted."""
    whole, point, rest = show(abs(value)).partition(".")
    return f"{'-' if value < 0 else ''}{int(whole):,}{point}{rest}"


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return "–" if value is None or value == "" else str(value)


def _plain(value: object) -> Any:  # Any: whatever JSON has
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, int | str) else str(value)
