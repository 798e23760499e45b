"""`clone`: a new tenant with another one's data."""

from __future__ import annotations

from dataclasses import asdict

import click
from sqlalchemy.orm import Session

from ..tenancy import Tenancy
from .application import pass_tenancy
from .output import as_json_option, plain_errors, print_json, print_table, yes_option


@click.command()
@click.argument("source")
@click.argument("new_key")
@click.option("--scrub", "names", multiple=True, metavar="NAME", help="Run this scrub only; again for more. All of them without it.")
@click.option("--unscrubbed", is_flag=True, help="Copy everything as it is; asks.")
@click.option("--backup", metavar="BACKUP", help="Of this backup, or of the `newest`, instead of the live database.")
@click.option("--domain", "domains", multiple=True, metavar="HOST", help="A host that it answers to, the primary first.")
@click.option("--region", help="Place it on a server of this region.")
@click.option("--dry-run", is_flag=True, help="Only check whether it could be made.")
@yes_option
@as_json_option
@pass_tenancy
def clone(
    tenancy: Tenancy,
    source: str,
    new_key: str,
    *,
    names: tuple[str, ...],
    unscrubbed: bool,
    backup: str | None,
    domains: tuple[str, ...],
    region: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Make a new tenant with the data of SOURCE, scrubbed before anybody opens it."""
    if unscrubbed and names:
        raise click.UsageError("Give --scrub or --unscrubbed.")
    if dry_run:
        _check(tenancy, source, new_key, domains=domains, region=region, as_json=as_json)
        return
    if unscrubbed and not yes:
        click.confirm(f"Copy everything of {source} to {new_key}, with nothing taken out?", abort=True, err=True)
    scrub = () if unscrubbed else names or None
    with plain_errors():
        report = tenancy.clones.clone(source, new_key, scrub=scrub, backup=backup, domains=domains, region=region)
    if as_json:
        print_json(asdict(report))
        return
    columns = ("tenant", "cloned from", "backup", "server", "revision", "rows", "scrubbed by")
    row = (report.key, report.source, report.backup or "-", report.server, report.revision, report.rows, ", ".join(report.scrubs) or "-")
    print_table(columns, [row])


def _check(tenancy: Tenancy, source: str, new_key: str, *, domains: tuple[str, ...], region: str | None, as_json: bool) -> None:
    with plain_errors(), Session(tenancy.domains.catalog) as session:
        size = tenancy.size_bytes(source)
        made = tenancy.register(session, new_key, domains=domains, region=region)
        session.rollback()
    if as_json:
        print_json({"key": new_key, "source": source, "server": made.server, "size_bytes": size, "is_made": False})
    else:
        click.echo(f"{new_key}: would be made of {source}, {size:,} bytes, on {made.server}")


COMMANDS = (clone,)
