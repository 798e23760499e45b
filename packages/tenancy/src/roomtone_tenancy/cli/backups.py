"""`backup`, `backups`, `restore`, `restore-deleted`: one tenant at a time."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import click

from ..life.manifests import Backup
from ..tenancy import Tenancy
from .application import pass_tenancy
from .output import as_json_option, plain_errors, print_json, print_table, yes_option

_COLUMNS = ("backup", "made", "revision", "rows", "bytes")


@click.command()
@click.argument("key")
@as_json_option
@pass_tenancy
def backup(tenancy: Tenancy, key: str, *, as_json: bool) -> None:
    """Back a tenant up while it works, and read the backup back."""
    with plain_errors():
        made = tenancy.backups.create(key)
    if as_json:
        print_json(_facts(made))
        return
    print_table(_COLUMNS, [_row(made)])


@click.command()
@click.argument("key")
@click.option("--check", metavar="BACKUP", help="Read this one from end to end instead, or `newest`.")
@as_json_option
@pass_tenancy
def backups(tenancy: Tenancy, key: str, *, check: str | None, as_json: bool) -> None:
    """A tenant's backups, the oldest first."""
    with plain_errors():
        checked = None if check is None else tenancy.backups.check(key, None if check == "newest" else check)
        found = tenancy.backups.list(key) if checked is None else [checked]
    if as_json:
        print_json([_facts(each) for each in found])
        return
    print_table(_COLUMNS, [_row(each) for each in found])


@click.command()
@click.argument("key")
@click.argument("backup_id", metavar="[BACKUP]", required=False)
@click.option("--keep-days", default=7.0, show_default=True, help="How long the replaced database is kept.")
@click.option("--dry-run", is_flag=True, help="Only read the backup from end to end.")
@yes_option
@as_json_option
@pass_tenancy
def restore(tenancy: Tenancy, key: str, backup_id: str | None, *, keep_days: float, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Put a tenant back to a backup, the newest if none is named."""
    with plain_errors():
        found = tenancy.backups.check(key, backup_id)
        if dry_run:
            if as_json:
                print_json(_facts(found))
            else:
                click.echo(f"{key}: would be put back to {found.id}, {found.rows} rows at revision {found.revision}; it is sound")
            return
        if not yes:
            click.confirm(
                f"Put {key} back to {found.created_at:%Y-%m-%d %H:%M} UTC? What was written since is set aside", abort=True, err=True
            )
        report = tenancy.backups.restore(key, found.id, keep=timedelta(days=keep_days))
    if as_json:
        print_json({**asdict(report), "former_until": report.former_until.isoformat()})
        return
    until = f"{report.former_until:%Y-%m-%d %H:%M}"
    columns = ("tenant", "backup", "revision", "rows", "writes refused", "former one kept until")
    print_table(columns, [(key, report.backup, report.revision, report.rows, f"{report.refused_s:.2f} s", until)])


@click.command("restore-deleted")
@click.argument("tenant_id")
@click.argument("new_key")
@click.argument("backup_id", metavar="[BACKUP]", required=False)
@click.option("--domain", "domains", multiple=True, metavar="HOST", help="A host that it answers to, the primary first.")
@click.option("--dry-run", is_flag=True, help="Only show the backups that there are.")
@yes_option
@as_json_option
@pass_tenancy
def restore_deleted(
    tenancy: Tenancy,
    tenant_id: str,
    new_key: str,
    backup_id: str | None,
    *,
    domains: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Make a new tenant of a deleted one's backup.

    It gets the key NEW_KEY and the newest backup if none is named. TENANT_ID is in the proof of the deletion.
    """
    with plain_errors():
        found = tenancy.backups.of_deleted(tenant_id)
        if dry_run:
            if as_json:
                print_json([_facts(each) for each in found])
            else:
                print_table(_COLUMNS, [_row(each) for each in found])
            return
        if not yes:
            click.confirm(f"Bring back the data of {found[-1].key if found else tenant_id}, which was deleted, as {new_key}?", abort=True)
        report = tenancy.backups.restore_as(tenant_id, new_key, backup_id, domains=domains)
    if as_json:
        print_json(asdict(report))
        return
    print_table(("tenant", "of", "backup", "revision", "rows"), [(report.key, report.source, report.backup, report.revision, report.rows)])


def _row(each: Backup) -> tuple[object, ...]:
    return each.id, f"{each.created_at:%Y-%m-%d %H:%M:%S}", each.revision or "-", each.rows, each.size_bytes


def _facts(each: Backup) -> dict[str, Any]:  # what JSON holds
    fields = ("id", "tenant_id", "key", "kind", "revision", "rows", "size_bytes", "sha256")
    return {name: getattr(each, name) for name in fields} | {"created_at": each.created_at.isoformat()}


COMMANDS = (backup, backups, restore, restore_deleted)
