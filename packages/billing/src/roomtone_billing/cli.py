"""The `billing` command; needs the extra `cli`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from .errors import BillingError

if TYPE_CHECKING:
    from .billing import Billing

T = TypeVar("T")


class _Commands(click.Group):
    """The commands, with the offline Stripe among them: imported when asked for, since it brings Flask along."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return sorted([*super().list_commands(ctx), "offline-stripe"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name != "offline-stripe":
            return super().get_command(ctx, cmd_name)
        try:
            command: click.Command = importlib.import_module("roomtone_billing.offline.cli").offline_stripe
        except ImportError as error:
            return _missing(cmd_name, error)
        return command


@click.group(cls=_Commands)
def main() -> None:
    """Look after subscriptions."""


def _missing(name: str, error: ImportError) -> click.Command:
    @click.command(name, short_help="(needs the extra `offline`)")
    def missing() -> None:
        raise click.ClickException(f"{error}; install roomtone-billing[offline]")

    return missing


def _tried(call: Callable[[], T]) -> T:
    try:
        return call()
    except BillingError as error:
        raise click.ClickException(str(error)) from error


def _load(name: str) -> Billing:
    """The billing that `module:factory` makes."""
    from .billing import Billing  # with SQLAlchemy, which `offline-stripe` starts without

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


@main.group()
def catalog() -> None:
    """Compare the catalogue with Stripe, and publish it."""


@catalog.command()
@app
def plan(billing: Billing) -> None:
    """Show what `apply` would change."""
    changes = _tried(lambda: [str(change) for change in billing.publication()])
    click.echo("\n".join(changes) or "nothing to change")


@catalog.command()
@app
def apply(billing: Billing) -> None:
    """Make the products and prices that are missing at Stripe."""
    click.echo("\n".join(_tried(billing.publish)) or "nothing to change")


@main.command()
@app
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
def inbox(billing: Billing, limit: int) -> None:
    """List the newest events of Stripe."""
    for one in billing.inbox(limit):
        head = f"{one.received_at:%Y-%m-%d %H:%M:%S}  {one.state:8}  {one.account or '-':20}  {one.type:40}"
        click.echo(f"{head}  {one.event_id}  {one.error or ''}".rstrip())


@main.command()
@app
@click.argument("event_id")
def replay(billing: Billing, event_id: str) -> None:
    """Take a stored event up again; the worker does the rest."""
    _tried(lambda: billing.replay(event_id))
    click.echo(f"{event_id} is pending again")
