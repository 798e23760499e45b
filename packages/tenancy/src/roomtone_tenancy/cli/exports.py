"""`export`, `import`: one tenant as one file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ..life.exports import BYTES_MAX, Export
from ..tenancy import Tenancy
from .application import pass_tenancy
from .output import as_json_option, plain_errors, print_json, print_table

_COLUMNS = ("tenant", "of", "revision", "tables", "rows", "bytes", "file")


@click.command("export")
@click.argument("key")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@as_json_option
@pass_tenancy
def export_tenant(tenancy: Tenancy, key: str, path: Path, *, as_json: bool) -> None:
    """Write all that a tenant has into a new FILE.

    JSON lines for each table and a manifest, in a zip.
    """
    with plain_errors():
        try:
            found = tenancy.exports.create(key, path)
        except OSError as error:
            raise click.ClickException(str(error)) from error
    _print(found, as_json=as_json)


@click.command("import")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("key")
@click.option("--domain", "domains", multiple=True, metavar="HOST", help="A host that it answers to, the primary first.")
@click.option("--region", help="Place it on a server of this region.")
@click.option("--bytes-max", default=BYTES_MAX, show_default=True, help="How much it may be when it is unpacked.")
@click.option("--dry-run", is_flag=True, help="Only read the file from end to end.")
@as_json_option
@pass_tenancy
def import_tenant(
    tenancy: Tenancy, path: Path, key: str, *, domains: tuple[str, ...], region: str | None, bytes_max: int, dry_run: bool, as_json: bool
) -> None:
    """Make the new tenant KEY of an exported FILE."""
    with plain_errors():
        if dry_run:
            _print(tenancy.exports.check(path, bytes_max=bytes_max), as_json=as_json)
            return
        report = tenancy.exports.load(path, key, domains=domains, region=region, bytes_max=bytes_max)
    if as_json:
        print_json(asdict(report))
        return
    columns = ("tenant", "server", "imported from", "of", "revision", "tables", "rows")
    print_table(columns, [(report.key, report.server, report.source, report.dialect, report.revision, report.tables, report.rows)])


def _print(found: Export, *, as_json: bool) -> None:
    if as_json:
        facts: dict[str, Any] = {**asdict(found), "path": str(found.path), "created_at": found.created_at.isoformat()}  # what JSON holds
        print_json(facts)
        return
    print_table(_COLUMNS, [(found.key, found.dialect, found.revision, found.tables, found.rows, found.size_bytes, found.path)])


COMMANDS = (export_tenant, import_tenant)
