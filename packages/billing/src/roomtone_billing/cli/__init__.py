"""The `billing` command; needs the extra `cli`."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from . import accounts, upkeep
from .host import app, as_json, dump, tried

if TYPE_CHECKING:
    from ..billing import Billing
    from ..publication import Change

# As Terraform has them: https://developer.hashicorp.com/terraform/cli/commands/plan
_SIGNS = {"create": "+", "rename": "~", "restore": "~", "update": "~", "replace": "±", "archive": "-"}
_COLOURS = {"create": "green", "rename": "yellow", "restore": "yellow", "update": "yellow", "replace": "yellow", "archive": "red"}


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


@main.group()
def catalog() -> None:
    """Compare the catalogue with Stripe, and publish it."""


@catalog.command()
@app
@as_json
@click.pass_context
def plan(ctx: click.Context, billing: Billing, *, is_json: bool) -> None:
    """Show what `apply` would change; the exit code is 2 when there is something."""
    changes = tried(billing.publication)
    _show(changes, is_json=is_json)
    if changes:
        ctx.exit(2)


@catalog.command()
@app
@as_json
@click.option("--replace-used", is_flag=True, help="Replace prices, too, that customers are subscribed to: they keep the old.")
def apply(billing: Billing, *, is_json: bool, replace_used: bool) -> None:
    """Make Stripe agree with the catalogue."""
    changes = tried(billing.publication)
    _show(changes, is_json=is_json)
    tried(lambda: billing.publish(may_replace_used=replace_used))


def _show(changes: Sequence[Change], *, is_json: bool) -> None:
    if is_json:
        click.echo(json.dumps([change.to_json() for change in changes], indent=2))
        return
    for change in changes:
        warning = "  (customers are subscribed to it)" if change.is_in_use else ""
        click.secho(f"{_SIGNS[change.action]} {change}{warning}", fg=_COLOURS[change.action])
    if not changes:
        click.echo("nothing to change")


@main.command()
@app
@as_json
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="At most so many.")
def inbox(billing: Billing, is_json: bool, limit: int) -> None:
    """List the newest events of Stripe, and what became of each."""
    found = billing.inbox(limit)
    if is_json:
        dump(found)
        return
    for one in found:
        head = f"{one.received_at:%Y-%m-%d %H:%M:%S}  {one.state:8}  {one.account or '-':20}  {one.type:40}"
        click.echo(f"{head}  {one.event_id}  {one.error or ''}".rstrip())


for _command in (*accounts.COMMANDS, *upkeep.COMMANDS):
    main.add_command(_command)
