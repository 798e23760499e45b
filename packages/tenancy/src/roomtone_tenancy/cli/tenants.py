"""`create`, `list`, `show`, `resume`: one tenant or all."""

from __future__ import annotations

import sys

import click
from sqlalchemy.orm import Session

from ..errors import TenancyError
from ..lifecycle import TenantState
from ..tenancy import Tenancy
from .application import pass_tenancy
from .output import as_json_option, facts_of, plain_errors, print_json, print_table


@click.command("list")
@click.option("--state", type=click.Choice([state.value for state in TenantState if state is not TenantState.DELETED]), help="These only.")
@as_json_option
@pass_tenancy
def list_tenants(tenancy: Tenancy, *, state: str | None, as_json: bool) -> None:
    """A line for each tenant: key, state, revision, server, primary domain."""
    tenants = tenancy.tenants(None if state is None else TenantState(state))
    if as_json:
        print_json([facts_of(tenant) for tenant in tenants])
        return
    rows = [(it.key, it.state, it.revision or "-", it.server, it.domains[0] if it.domains else "-") for it in tenants]
    print_table(("tenant", "state", "revision", "server", "primary domain"), rows)


@click.command()
@click.argument("key")
@as_json_option
@pass_tenancy
def show(tenancy: Tenancy, key: str, *, as_json: bool) -> None:
    """One tenant with its steps and its history."""
    with plain_errors():
        tenant, progress = tenancy.tenant(key), tenancy.progress(key)
    if as_json:
        steps = [{"name": step.name, "state": step.state, "seconds": step.seconds} for step in progress.steps]
        operation = {"kind": progress.operation, "attempts": progress.attempts, "is_done": progress.is_done, "error": progress.error}
        moves = [
            {"at": entry.at.isoformat(), "before": entry.before, "after": entry.after, "reason": entry.reason, "actor": entry.actor}
            for entry in tenancy.history(key)
        ]
        print_json(facts_of(tenant) | {"operation": operation | {"steps": steps}, "history": moves})
        return
    click.echo(f"{tenant.key}: {tenant.state}, database {tenant.database} on {tenant.server}, revision {tenant.revision or '-'}")
    click.echo(f"domains: {', '.join(tenant.domains) or '-'}")
    click.echo(f"{progress.operation}: attempt {progress.attempts}{', done' if progress.is_done else ''}")
    for step in progress.steps:
        click.echo(f"  {step.name}: {step.state}" + (f" {step.seconds:.2f} s" if step.seconds is not None else ""))
    if progress.error:
        click.echo(f"  {progress.error}")
    for entry in tenancy.history(key):
        click.echo(f"{entry.at:%Y-%m-%d %H:%M:%S} {entry.before or '-'} -> {entry.after} ({entry.reason}, {entry.actor})")


@click.command()
@click.argument("key")
@click.option("--domain", "domains", multiple=True, metavar="HOST", help="A host that it answers to, the primary first; again for more.")
@click.option("--region", help="Place it on a server of this region.")
@click.option("--dry-run", is_flag=True, help="Only check whether it could be made.")
@as_json_option
@pass_tenancy
def create(tenancy: Tenancy, key: str, *, domains: tuple[str, ...], region: str | None, dry_run: bool, as_json: bool) -> None:
    """Make the new tenant KEY with its database."""
    with plain_errors(), Session(tenancy.domains.catalog) as session:
        tenant = tenancy.register(session, key, domains=domains, region=region)
        if dry_run:
            session.rollback()
        else:
            session.commit()
            tenant = tenancy.provision(key)
    if as_json:
        print_json(facts_of(tenant) | {"is_made": not dry_run})
    else:
        click.echo(f"{key}: {'would be made' if dry_run else tenant.state} on {tenant.server}")


@click.command()
@click.argument("key", required=False)
@click.option("--reason", default="by command", show_default=True, help="What the tenant's log says.")
@as_json_option
@pass_tenancy
def resume(tenancy: Tenancy, key: str | None, *, reason: str, as_json: bool) -> None:
    """Let a tenant work again, or finish all that was interrupted.

    Without KEY every interrupted operation is finished; exit status 1 when something still fails.
    """
    if key is not None:
        with plain_errors(), Session(tenancy.domains.catalog) as session, session.begin():
            tenant = tenancy.resume(session, key, reason=reason, actor="command line")
        if as_json:
            print_json(facts_of(tenant))
        else:
            click.echo(f"{key}: {tenant.state}")
        return
    done: list[dict[str, str | None]] = []
    for kind, verb in tenancy.interrupted().items():
        for pending in tenancy.pending(kind):
            error = None
            try:
                verb(pending)
            except TenancyError as failure:
                error = str(failure)
            done.append({"key": pending, "operation": kind, "error": error})
            if not as_json:
                click.echo(f"{pending}: {error or f'{kind} done'}", err=error is not None)
    if as_json:
        print_json(done)
    if any(each["error"] for each in done):
        sys.exit(1)


COMMANDS = (create, list_tenants, show, resume)
