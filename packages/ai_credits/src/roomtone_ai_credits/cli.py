"""`credits`: look into the books of a database, and give credits by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from .amount import parse, show
from .credits import AiCredits
from .errors import CreditsError, LedgerMismatch
from .pricing import RateCard

# Prices matter to holds alone, and nothing here makes one.
NO_PRICES = RateCard(version="none")

database_url = click.option("--database-url", required=True, help="SQLAlchemy URL, e.g. postgresql+psycopg://user@host/control")


@click.group()
def main() -> None:
    """Look into the credit books of a database, and give credits by hand."""


@main.command()
@click.argument("account")
@database_url
def balance(account: str, database_url: str) -> None:
    """Show what ACCOUNT can spend, and its last ten entries."""
    with _engine(database_url) as engine:
        credits_ = AiCredits(engine, rate_card=NO_PRICES)
        now = credits_.balance(account)
        click.echo(f"available {show(now.available)}  held {show(now.held)}  debt {show(now.debt)}")
        for lot in now.lots:
            click.echo(f"  {lot.kind:<10} {show(lot.remaining):>14} of {show(lot.granted)}, until {lot.expires_at or 'used up'}")
        for entry in credits_.entries(account, limit=10):
            click.echo(
                f"{entry.at:%Y-%m-%d %H:%M} {entry.kind:<10} {show(entry.amount):>14} -> {show(entry.balance_after)}  {entry.reason or ''}"
            )


@main.command()
@click.argument("account")
@click.argument("amount")
@click.option("--key", required=True, help="names this grant: repeating the command with it gives nothing twice")
@click.option("--reason", required=True)
@click.option("--actor", default="cli", show_default=True)
@database_url
def grant(*, account: str, amount: str, key: str, reason: str, actor: str, database_url: str) -> None:
    """Give ACCOUNT an AMOUNT of credits such as 50 or 12.5."""
    with _engine(database_url) as engine, Session(engine) as session, session.begin():
        given = AiCredits(engine, rate_card=NO_PRICES).grant(session, account, amount=parse(amount), key=key, reason=reason, actor=actor)
    click.echo(f"{'already given' if given.replayed else 'gave'} {show(given.amount)} credits")


@main.command()
@click.option("--account", default=None, help="one account only")
@database_url
def verify(account: str | None, database_url: str) -> None:
    """Prove the books; when they do not balance, say where and how to repair what is kept, and exit 1."""
    with _engine(database_url) as engine:
        try:
            proved = AiCredits(engine, rate_card=NO_PRICES).verify(account)
        except LedgerMismatch as mismatch:
            plan = ["", "To repair what is kept, in one transaction, then verify again:", *(f"{sql};" for sql in mismatch.repairs)]
            raise click.ClickException("\n".join([*mismatch.findings, *(plan if mismatch.repairs else ())])) from mismatch
    click.echo(f"the books balance: {proved.accounts} accounts, {proved.entries} entries")


@contextmanager
def _engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url)
    try:
        yield engine
    except CreditsError as refusal:
        raise click.ClickException(str(refusal)) from refusal
    finally:
        engine.dispose()
