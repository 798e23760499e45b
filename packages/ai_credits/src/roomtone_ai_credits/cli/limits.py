"""`credits limits`: what an account's users, teams, features and keys may use."""

from __future__ import annotations

import click

from ..amount import parse
from ..credits import AiCredits
from ..limits import Scope, Window
from .output import actor_option, as_json_option, confirm, key_option, micro, print_json, print_table, with_ledger, yes_option


@click.group()
def limits() -> None:
    """Limits inside an account: list, set, remove."""


@limits.command("list")
@click.argument("account")
@as_json_option
@with_ledger
def listed(credits_: AiCredits, *, account: str, as_json: bool) -> None:
    """Show the limits of ACCOUNT, and what was used under each."""
    found = credits_.limits(account)
    if as_json:
        print_json(found)
        return
    rows = [
        (use.limit.name, f"{use.limit.scope} {use.subject or ''}".strip(), use.limit.window, micro(use.used), micro(use.limit.amount),
         "refuses" if use.limit.is_hard else "tells", use.resets_at)
        for use in found
    ]  # fmt: skip
    print_table(("limit", "of", "window", "used>", "of>", "beyond", "resets"), rows)


@limits.command("set")
@click.argument("account")
@click.argument("name")
@click.argument("amount")
@key_option
@click.option("--scope", type=click.Choice([scope.value for scope in Scope]), default="account", show_default=True)
@click.option("--subject", help="The one it is for; each of them when left out.")
@click.option("--window", type=click.Choice([window.value for window in Window]), default="month", show_default=True)
@click.option("--length-s", default=0, help="Seconds of a rolling window.")
@click.option("--timezone", default="UTC", show_default=True)
@click.option("--soft", is_flag=True, help="Tell by an event instead of refusing.")
@actor_option
@with_ledger
def put(
    credits_: AiCredits,
    *,
    account: str,
    name: str,
    amount: str,
    key: str,
    scope: str,
    subject: str | None,
    window: str,
    length_s: int,
    timezone: str,
    soft: bool,
    actor: str,
) -> None:
    """Let at most AMOUNT credits of ACCOUNT be used in each window; NAME again changes it."""
    credits_.set_limit(
        None,
        account,
        name,
        amount=parse(amount),
        key=key,
        scope=scope,
        subject=subject,
        window=window,
        length_s=length_s,
        timezone=timezone,
        is_hard=not soft,
        actor=actor,
    )
    click.echo(f"limit {name}: {amount} a {window}")


@limits.command()
@click.argument("account")
@click.argument("name")
@key_option
@click.option("--subject", help="The one it was for; the limit for each when left out.")
@actor_option
@yes_option
@with_ledger
def remove(credits_: AiCredits, *, account: str, name: str, key: str, subject: str | None, actor: str, yes: bool) -> None:
    """Refuse nothing more under the limit NAME of ACCOUNT."""
    confirm(yes, f"Remove the limit {name} of {account}?")
    credits_.remove_limit(None, account, name, key=key, subject=subject, actor=actor)
    click.echo(f"limit {name}: removed")


COMMANDS = (limits,)
