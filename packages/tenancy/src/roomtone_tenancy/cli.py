"""The `tenancy` command: looks at a fleet and brings it forward."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from .errors import TenancyError
from .tenancy import Tenancy

pass_tenancy = click.make_pass_decorator(Tenancy)


@click.group()
@click.option("--app", "target", required=True, metavar="MODULE:FACTORY", help="Where a function without arguments gives the Tenancy.")
@click.pass_context
def main(context: click.Context, target: str) -> None:
    """Work with the tenants of an application."""
    module, _, name = target.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        tenancy = getattr(importlib.import_module(module), name or "tenancy")()
    except (ImportError, AttributeError) as error:
        raise click.BadParameter(f"{target!r} cannot be loaded: {error}", param_hint="--app") from error
    if not isinstance(tenancy, Tenancy):
        raise click.BadParameter(f"{target!r} gives a {type(tenancy).__name__}, not a Tenancy.", param_hint="--app")
    context.obj = tenancy
    context.call_on_close(tenancy.dispose)


@main.command("list")
@pass_tenancy
def list_tenants(tenancy: Tenancy) -> None:
    """A line for each tenant: key, state, revision, server, primary domain."""
    for tenant in tenancy.tenants():
        domain = tenant.domains[0] if tenant.domains else "-"
        click.echo(f"{tenant.key}\t{tenant.state}\t{tenant.revision or '-'}\t{tenant.server}\t{domain}")


@main.command()
@click.argument("key")
@pass_tenancy
def show(tenancy: Tenancy, key: str) -> None:
    """One tenant with its steps and its history."""
    with _errors():
        tenant, progress = tenancy.tenant(key), tenancy.progress(key)
    click.echo(f"{tenant.key}: {tenant.state}, database {tenant.database} on {tenant.server}, revision {tenant.revision or '-'}")
    click.echo(f"domains: {', '.join(tenant.domains) or '-'}")
    click.echo(f"{progress.operation}: attempt {progress.attempts}{', done' if progress.is_done else ''}")
    for step in progress.steps:
        click.echo(f"  {step.name}: {step.state}" + (f" {step.seconds:.2f} s" if step.seconds is not None else ""))
    if progress.error:
        click.echo(f"  {progress.error}")
    for entry in tenancy.history(key):
        click.echo(f"{entry.at:%Y-%m-%d %H:%M:%S} {entry.before or '-'} -> {entry.after} ({entry.reason}, {entry.actor})")


@main.command()
@pass_tenancy
def migrate(tenancy: Tenancy) -> None:
    """Bring every tenant to the newest revision; exit status 1 when one failed."""
    with _errors():
        report = tenancy.migrate(on_tenant=lambda key, error: click.echo(f"{key}: {error or 'migrated'}"))
    click.echo(f"head {report.head}: {len(report.migrated)} migrated, {len(report.failed)} failed")
    if report.failed:
        sys.exit(1)


@main.command()
@pass_tenancy
def resume(tenancy: Tenancy) -> None:
    """Finish what was interrupted: provisioning and deletion; exit status 1 when something still fails."""
    failed = False
    for kind, verb in (("provision", tenancy.provision), ("delete", tenancy.delete)):
        for key in tenancy.pending(kind):
            try:
                verb(key)
                click.echo(f"{key}: {kind} done")
            except TenancyError as error:
                failed = True
                click.echo(f"{key}: {error}", err=True)
    if failed:
        sys.exit(1)


@main.command()
@pass_tenancy
def doctor(tenancy: Tenancy) -> None:
    """Say what needs attention; exit status 1 when something does."""
    findings = tenancy.doctor()
    for finding in findings:
        click.echo(finding)
    if findings:
        sys.exit(1)
    click.echo("all is well")


@contextmanager
def _errors() -> Iterator[None]:
    """Show this package's errors as one line."""
    try:
        yield
    except TenancyError as error:
        raise click.ClickException(str(error)) from error
