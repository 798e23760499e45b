"""`credits balance`, `grant`, `adjust`, `explain`, `events`: one account, and what is to be told."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from sqlalchemy.orm import Session

from ..amount import parse
from ..credits import AiCredits
from ..usage import Usage
from .output import actor_option, as_json_option, confirm, key_option, micro, print_facts, print_json, print_table, with_ledger, yes_option

ENTRIES_SHOWN = 10


@click.command()
@click.argument("account")
@click.option("--entries", default=ENTRIES_SHOWN, show_default=True, type=click.IntRange(0, 1000), help="How many lines of history.")
@as_json_option
@with_ledger
def balance(credits_: AiCredits, *, account: str, entries: int, as_json: bool) -> None:
    """Show what ACCOUNT can spend, from which lots, and what moved it last."""
    now, history = credits_.balance(account), credits_.entries(account, limit=entries)
    if as_json:
        print_json({"balance": now, "entries": history})
        return
    print_facts([("available", micro(now.available)), ("held", micro(now.held)), ("debt", micro(now.debt))])
    lots = [(lot.kind, micro(lot.remaining), micro(lot.granted), lot.expires_at or "used up") for lot in now.lots]
    if lots:
        print_table(("lot", "left>", "of>", "until"), lots, title="\nSpent in this order")
    moves = [(entry.at, entry.kind, micro(entry.amount), micro(entry.balance_after), entry.reason or entry.model) for entry in history]
    if moves:
        print_table(("when", "what", "credits>", "balance>", "why"), moves, title="\nLast moves")


@click.command()
@click.argument("account")
@click.argument("amount")
@key_option
@click.option("--reason", required=True)
@click.option("--kind", type=click.Choice(["promotion", "pack"]), default="promotion", show_default=True)
@click.option("--expires", type=click.DateTime(), metavar="DATE", help="When it dies, in UTC; never when left out.")
@actor_option
@yes_option
@as_json_option
@with_ledger
def grant(
    credits_: AiCredits,
    *,
    account: str,
    amount: str,
    key: str,
    reason: str,
    kind: str,
    expires: object,
    actor: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Give ACCOUNT an AMOUNT of credits such as 50 or 12.5."""
    given = parse(amount)
    confirm(yes, f"Give {account} {micro(given)} credits?")
    with Session(credits_.ledger.engine) as session, session.begin():
        done = credits_.grant(session, account, amount=given, key=key, kind=kind, expires_at=_utc(expires), reason=reason, actor=actor)
    if as_json:
        print_json(done)
    else:
        click.echo(f"{'already given' if done.replayed else 'gave'} {micro(done.amount)} credits")


@click.command()
@click.argument("account")
@click.argument("amount")
@key_option
@click.option("--reason", required=True)
@actor_option
@yes_option
@as_json_option
@with_ledger
def adjust(credits_: AiCredits, *, account: str, amount: str, key: str, reason: str, actor: str, yes: bool, as_json: bool) -> None:
    """Correct ACCOUNT by an AMOUNT of credits. To take some, write -- before it: `credits adjust … -- ACCOUNT -5`."""
    by = parse(amount)
    confirm(yes, f"Correct {account} by {micro(by)} credits?")
    done = credits_.adjust(None, account, amount=by, key=key, reason=reason, actor=actor)
    if as_json:
        print_json(done)
    else:
        click.echo(f"{'already corrected' if done.replayed else 'corrected'} by {micro(done.amount)} credits")


@click.command()
@click.argument("account")
@click.option("--model", required=True)
@click.option("--input", "input_tokens", default=0, help="Tokens of the prompt.")
@click.option("--output", "output_tokens", default=0, help="Tokens of the answer at most.")
@click.option("--user")
@click.option("--feature")
@click.option("--team")
@click.option("--api-key")
@as_json_option
@with_ledger
def explain(
    credits_: AiCredits,
    *,
    account: str,
    model: str,
    input_tokens: int,
    output_tokens: int,
    user: str | None,
    feature: str | None,
    team: str | None,
    api_key: str | None,
    as_json: bool,
) -> None:
    """Tell whether a call of ACCOUNT would be let through, what pays for it, and why not. Prices are those of --card; nothing is held."""
    usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
    told = credits_.explain(account, model=model, estimate=usage, user=user, feature=feature, team=team, api_key=api_key)
    if as_json:
        print_json({"is_granted": told.is_granted, "cost": told.cost, "available": told.available, "refusal": told.refusal,
                    "parts": [(lot.number, part) for lot, part in told.parts],
                    "limits": [(limit.name, left) for limit, left in told.limits]})  # fmt: skip
        return
    click.echo(f"granted: it costs {micro(told.cost)} of {micro(told.available)}" if told.is_granted else f"refused: {told.refusal}")
    if told.parts:
        parts = [(lot.kind, micro(part), lot.expires_at or "used up") for lot, part in told.parts]
        print_table(("lot", "pays>", "until"), parts)
    if told.limits:
        print_table(("limit", "scope", "leaves>"), [(limit.name, limit.scope, micro(left)) for limit, left in told.limits])


@click.command()
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--acknowledge", is_flag=True, help="They were dealt with: do not tell them again.")
@as_json_option
@with_ledger
def events(credits_: AiCredits, *, limit: int, acknowledge: bool, as_json: bool) -> None:
    """Show what the application has not been told yet, oldest first."""
    found = credits_.events(limit)
    if as_json:
        print_json(found)
    else:
        facts = [", ".join(f"{name} {value}" for name, value in event.data.items()) for event in found]
        rows = [(event.at, event.account, event.kind, fact) for event, fact in zip(found, facts, strict=True)]
        print_table(("when", "account", "what", "facts"), rows)
    if acknowledge:
        credits_.acknowledge(None, found)


def _utc(moment: object) -> datetime | None:
    return moment.replace(tzinfo=UTC) if isinstance(moment, datetime) else None


COMMANDS = (balance, grant, adjust, explain, events)
