"""`credits reports`: where credits went, how long they last, what they earned; and what another card would have made of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from ..credits import AiCredits
from .output import as_json_option, micro, print_facts, print_json, print_table, read_card, with_ledger

PATH = click.Path(path_type=Path, exists=True, dir_okay=False)
DAYS = 30


def between(command: Callable[..., Any]) -> Callable[..., Any]:  # Any: click's commands have many shapes
    """Give a command the options of a stretch of time: the last 30 days, unless it says otherwise."""
    command = click.option("--until", type=click.DateTime(), metavar="DATE", help="Before when, in UTC.  [default: now]")(command)
    return click.option("--since", type=click.DateTime(), metavar="DATE", help="From when on, in UTC.  [default: 30 days ago]")(command)


@click.group()
def reports() -> None:
    """Where credits went: by day, model, feature or user, with a forecast and the margin."""


def _spending(by: str) -> click.Command:
    @click.command(by, help=f"What was charged by {by}.")
    @between
    @click.option("--account", help="One account only.")
    @as_json_option
    @with_ledger
    def spending(credits_: AiCredits, *, since: datetime | None, until: datetime | None, account: str | None, as_json: bool) -> None:
        from_, to = _times(since, until)
        found = credits_.reports.spending(since=from_, until=to, by=by, account=account)
        if as_json:
            print_json(found)
        else:
            print_table((by, "calls>", "credits>"), [(part.name, f"{part.calls:,}", micro(part.charged)) for part in found])

    return spending


@reports.command()
@click.argument("account")
@click.option("--days", default=28, show_default=True, type=click.IntRange(1, 366), help="How far back the rate is looked at.")
@as_json_option
@with_ledger
def forecast(credits_: AiCredits, *, account: str, days: int, as_json: bool) -> None:
    """Tell how long the credits of ACCOUNT last, and what will expire unused."""
    found = credits_.reports.forecast(account, days=days)
    if as_json:
        print_json(found)
        return
    print_facts([("a day", micro(found.per_day)), ("lasts until", found.lasts_until or "nothing is used")])
    if found.unused:
        print_table(("expires", "unused>"), [(at, micro(amount)) for at, amount in found.unused])


@reports.command()
@between
@click.option("--account", help="One account only.")
@click.option("--costs", type=PATH, required=True, help="What the provider is paid: a rate card in billionths of a minor unit.")
@as_json_option
@with_ledger
def margin(credits_: AiCredits, *, since: datetime | None, until: datetime | None, account: str | None, costs: Path, as_json: bool) -> None:
    """Show what each model earned and cost."""
    from_, to = _times(since, until)
    found = credits_.reports.margin(since=from_, until=to, costs=read_card(costs), account=account)
    if as_json:
        print_json(found)
        return
    earned = [", ".join(f"{_minor(amount)} {currency}" for currency, amount in sorted(part.earned.items())) for part in found]
    rows = [(part.model, micro(part.charged), sum_, _minor(part.cost)) for part, sum_ in zip(found, earned, strict=True)]
    print_table(("model", "credits>", "earned, minor units>", "cost, minor units>"), rows)


@click.command()
@between
@click.option("--account", help="One account only.")
@click.option("--with-card", "other", type=PATH, required=True, help="The other rate card, a JSON file.")
@as_json_option
@with_ledger
def simulate(
    credits_: AiCredits, *, since: datetime | None, until: datetime | None, account: str | None, other: Path, as_json: bool
) -> None:
    """Rate the usage of the past with another card: what would have been charged. Nothing is booked."""
    from_, to = _times(since, until)
    found = credits_.reports.simulate(read_card(other), since=from_, until=to, account=account)
    if as_json:
        print_json(found)
        return
    rows = [
        (part.account, part.model, f"{part.calls:,}", micro(part.charged), micro(part.would_be), micro(part.would_be - part.charged))
        for part in found
    ]
    print_table(("account", "model", "calls>", "charged>", "would be>", "change>"), rows)


def _times(since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    to = until.replace(tzinfo=UTC) if until else datetime.now(UTC)
    return since.replace(tzinfo=UTC) if since else to - timedelta(days=DAYS), to


def _minor(millionths: int) -> str:
    return f"{millionths // 1_000_000:,}"


for name in ("day", "model", "feature", "user"):
    reports.add_command(_spending(name))
COMMANDS = (reports, simulate)
