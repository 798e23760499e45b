"""`credits verify` and `sweep`: prove the books, and book what time has made due."""

from __future__ import annotations

import itertools

import click

from ..credits import AiCredits
from ..errors import LedgerMismatch
from .output import as_json_option, print_json, with_ledger

ROUNDS_MAX = 10_000
"""Of a thousand accounts each."""


@click.command()
@click.option("--account", default=None, help="One account only.")
@as_json_option
@with_ledger
def verify(credits_: AiCredits, *, account: str | None, as_json: bool) -> None:
    """Prove the books; when they do not balance, say where and how to repair what is kept, and exit 1."""
    try:
        proved = credits_.verify(account)
    except LedgerMismatch as mismatch:
        if as_json:
            print_json({"findings": list(mismatch.findings), "repairs": list(mismatch.repairs)})
            raise SystemExit(1) from mismatch
        plan = ["", "To repair what is kept, in one transaction, then verify again:", *(f"{sql};" for sql in mismatch.repairs)]
        raise click.ClickException("\n".join([*mismatch.findings, *(plan if mismatch.repairs else ())])) from mismatch
    if as_json:
        print_json(proved)
    else:
        click.echo(f"the books balance: {proved.accounts:,} accounts, {proved.entries:,} entries")


@click.command()
@as_json_option
@with_ledger
def sweep(credits_: AiCredits, *, as_json: bool) -> None:
    """Book what time has made due: months, expiries, holds that ended. Nothing depends on it but reports."""
    total = sum(itertools.takewhile(bool, (credits_.sweep() for _ in range(ROUNDS_MAX))))
    if as_json:
        print_json({"accounts": total})
    else:
        click.echo(f"brought {total:,} accounts up to now")


COMMANDS = (verify, sweep)
