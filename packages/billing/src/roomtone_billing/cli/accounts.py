"""Commands about one account."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from .host import app, as_json, dump, table, tried

if TYPE_CHECKING:
    from ..billing import Billing


@click.command()
@app
@as_json
@click.argument("account")
@click.option("--limit", default=12, show_default=True, type=click.IntRange(1, 100))
def invoices(billing: Billing, is_json: bool, account: str, limit: int) -> None:
    """List an account's newest invoices with their credit notes, as billing last saw them."""
    found = billing.account(account).invoices(limit)
    if is_json:
        dump(found)
        return
    rows: list[tuple[object, ...]] = []
    for one in found:
        rows.append(
            (f"{one.created_at:%Y-%m-%d}", one.number, one.status, one.payable_minor, one.returned_minor, one.currency, one.pdf_url)
        )
        rows += [
            (f"{each.created_at:%Y-%m-%d}", each.number, "credit", -each.amount_minor, None, each.currency, each.pdf_url)
            for each in one.credit_notes
        ]
    table(("of", "number", "status", "minor units", "returned", "currency", "pdf"), rows)


@click.command()
@app
@click.argument("account")
def export(billing: Billing, account: str) -> None:
    """Write all that is kept of an account: a line of JSON for each row, and a manifest last."""
    lines = billing.account(account).export()
    while (line := tried(lambda: next(lines, None))) is not None:
        click.echo(json.dumps(line))


COMMANDS = (export, invoices)
