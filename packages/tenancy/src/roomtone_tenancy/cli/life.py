"""`suspend`, `read-only`, `archive`, `rename`, `move`, `retired`, `delete`: what happens to a tenant after it was made."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import click
from sqlalchemy.orm import Session

from ..errors import TenancyError
from ..tenancy import Tenancy
from ..tenant import Tenant
from .application import pass_tenancy
from .output import as_json_option, facts_of, plain_errors, print_json, print_table, yes_option

reason_option = click.option("--reason", default="by command", show_default=True, help="What the tenant's log says.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


@click.command()
@click.argument("key")
@reason_option
@as_json_option
@pass_tenancy
def suspend(tenancy: Tenancy, key: str, *, reason: str, as_json: bool) -> None:
    """Refuse a tenant all work, in its database too."""
    _change(tenancy, tenancy.suspend, key, as_json=as_json, reason=reason)


@click.command("read-only")
@click.argument("key")
@reason_option
@as_json_option
@pass_tenancy
def read_only(tenancy: Tenancy, key: str, *, reason: str, as_json: bool) -> None:
    """Have a tenant's database refuse its writes."""
    _change(tenancy, tenancy.read_only, key, as_json=as_json, reason=reason)


@click.command()
@click.argument("key")
@reason_option
@as_json_option
@pass_tenancy
def archive(tenancy: Tenancy, key: str, *, reason: str, as_json: bool) -> None:
    """Put a suspended tenant away: its visitors read that it is gone."""
    _change(tenancy, tenancy.archive, key, as_json=as_json, reason=reason)


@click.command()
@click.argument("key")
@click.argument("new_key")
@as_json_option
@pass_tenancy
def rename(tenancy: Tenancy, key: str, new_key: str, *, as_json: bool) -> None:
    """Give a tenant another key; its database and its domains stay."""
    with plain_errors(), Session(tenancy.domains.catalog) as session, session.begin():
        renamed = tenancy.rename(session, key, new_key, actor="command line")
    if as_json:
        print_json(facts_of(renamed))
    else:
        click.echo(f"{key}: is {renamed.key} now")


@click.command()
@click.argument("key")
@click.argument("server")
@click.option("--keep-days", default=7.0, show_default=True, help="How long the database on the old server is kept.")
@dry_run_option
@yes_option
@as_json_option
@pass_tenancy
def move(tenancy: Tenancy, key: str, server: str, *, keep_days: float, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Move a tenant to another server.

    Its writes are refused while it is copied and compared; the database on the old server is kept for a while.
    """
    with plain_errors():
        tenant = tenancy.tenant(key)
        if dry_run:
            size = tenancy.size_bytes(key)
            if as_json:
                print_json({"key": key, "source": tenant.server, "target": server, "size_bytes": size})
            else:
                click.echo(f"{key}: {size:,} bytes would go from {tenant.server} to {server}")
            return
        if not yes:
            click.confirm(f"Refuse {key}'s writes and move it from {tenant.server} to {server}?", abort=True, err=True)
        report = tenancy.moves.move(key, server, keep=timedelta(days=keep_days))
    if as_json:
        print_json({**asdict(report), "source_until": report.source_until.isoformat()})
        return
    columns = ("tenant", "from", "to", "tables", "rows", "writes refused", "old one kept until")
    until = f"{report.source_until:%Y-%m-%d %H:%M}"
    print_table(columns, [(key, report.source, report.target, report.tables, report.rows, f"{report.refused_s:.2f} s", until)])


@click.command()
@click.option("--drop", is_flag=True, help="Drop those whose time is over.")
@dry_run_option
@as_json_option
@pass_tenancy
def retired(tenancy: Tenancy, *, drop: bool, dry_run: bool, as_json: bool) -> None:
    """Databases that moves and restores replaced, and until when they are kept."""
    with plain_errors():
        found = tenancy.moves.drop_retired(is_dry=dry_run) if drop else tenancy.moves.retired()
    if as_json:
        print_json([{**asdict(each), "drop_at": each.drop_at.isoformat()} for each in found])
        return
    print_table(
        ("tenant", "server", "database", "kept until"), [(it.key, it.server, it.database, f"{it.drop_at:%Y-%m-%d}") for it in found]
    )


@click.command()
@click.argument("key", required=False)
@click.option("--due", is_flag=True, help="Every archived tenant whose grace is over, instead of one.")
@click.option("--grace-days", type=float, help="Archive it now, and make it due after these days.")
@click.option("--at-once", is_flag=True, help="Do not wait for the end of the grace.")
@click.option("--without-backup", is_flag=True, help="Make no last backup.")
@dry_run_option
@yes_option
@reason_option
@as_json_option
@pass_tenancy
def delete(
    tenancy: Tenancy,
    key: str | None,
    *,
    due: bool,
    grace_days: float | None,
    at_once: bool,
    without_backup: bool,
    dry_run: bool,
    yes: bool,
    reason: str,
    as_json: bool,
) -> None:
    """Drop a tenant's database for good, after a last backup; asks for its key."""
    if (key is None) is not due:
        raise click.UsageError("Give one KEY, or --due.")
    if due and grace_days is not None:
        raise click.UsageError("--grace-days is for one KEY: those that are --due had theirs.")
    if key is not None and grace_days is not None and not dry_run:
        _change(tenancy, tenancy.delete_later, key, as_json=as_json, reason=reason, grace=timedelta(days=grace_days))
        return
    keys = tenancy.due_for_deletion() if key is None else [key]
    if dry_run:
        with plain_errors():
            done = [{"key": tenancy.tenant(each).key, "is_deleted": False} for each in keys]
    else:
        done = [_delete(tenancy, each, yes=yes, at_once=at_once, without_backup=without_backup) for each in keys]
    if as_json:
        print_json(done)
    elif dry_run:
        for each in keys:
            click.echo(f"{each}: would be {'deleted' if grace_days is None else f'archived, and due for deletion in {grace_days:g} days'}")
    else:
        for facts in done:
            click.echo(_told(facts), err="error" in facts)
    if any("error" in facts for facts in done):
        sys.exit(1)


def _delete(tenancy: Tenancy, key: str, *, yes: bool, at_once: bool, without_backup: bool) -> dict[str, Any]:  # what JSON holds
    if not yes and click.prompt(f"Type {key} to delete it for good", err=True) != key:
        raise click.Abort
    try:
        tenant = tenancy.tenant(key)
        tenancy.delete(key, at_once=at_once, without_backup=without_backup)
    except TenancyError as error:
        return {"key": key, "is_deleted": False, "error": str(error)}
    proof = tenancy.proof_of_deletion(tenant.id) or {}
    seen = {"seen_absent_at": proof.get("seen_absent_at"), "backup": proof.get("backup")}
    return {"key": key, "is_deleted": True, "id": tenant.id, **seen}


def _told(facts: dict[str, Any]) -> str:  # what JSON holds
    if "error" in facts:
        return f"{facts['key']}: {facts['error']}"
    return f"{facts['key']}: deleted, id {facts['id']}, seen absent at {facts['seen_absent_at']}, last backup {facts['backup'] or 'none'}"


def _change(tenancy: Tenancy, verb: Callable[..., Tenant], key: str, *, as_json: bool, **options: Any) -> None:  # what the verb takes
    with plain_errors(), Session(tenancy.domains.catalog) as session, session.begin():
        tenant = verb(session, key, actor="command line", **options)
    if as_json:
        print_json(facts_of(tenant))
    else:
        click.echo(f"{key}: {tenant.state}")


COMMANDS = (suspend, read_only, archive, rename, move, retired, delete)
