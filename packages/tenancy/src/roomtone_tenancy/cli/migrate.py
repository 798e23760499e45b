"""`migrate`: the whole fleet to the newest revision."""

from __future__ import annotations

import sys

import click

from ..tenancy import Tenancy
from .output import pass_tenancy, plain_errors


@click.command()
@pass_tenancy
def migrate(tenancy: Tenancy) -> None:
    """Bring every tenant to the newest revision; exit status 1 when one failed."""
    with plain_errors():
        report = tenancy.migrate(on_tenant=lambda key, error: click.echo(f"{key}: {error or 'migrated'}"))
    click.echo(f"head {report.head}: {len(report.migrated)} migrated, {len(report.failed)} failed")
    if report.failed:
        sys.exit(1)


COMMANDS = (migrate,)
