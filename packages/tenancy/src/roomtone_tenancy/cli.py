"""The `tenancy` command: looks at a fleet and brings it forward."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from sqlalchemy.orm import Session

from .domains import Domain
from .errors import TenancyError
from .tenancy import Tenancy
from .tenant import Tenant

pass_tenancy = click.make_pass_decorator(Tenancy)
as_json_option = click.option("--json", "as_json", is_flag=True, help="For programs: JSON on standard output.")


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


def commands_of(tenancy: Tenancy) -> click.Group:
    """The same commands for an application's own command line, without `--app`."""

    @click.pass_context
    def enter(context: click.Context) -> None:
        context.obj = tenancy

    return click.Group("tenancy", commands=dict(main.commands), callback=enter, help="Work with the tenants of this application.")


@main.command("list")
@as_json_option
@pass_tenancy
def list_tenants(tenancy: Tenancy, *, as_json: bool) -> None:
    """A line for each tenant: key, state, revision, server, primary domain."""
    if as_json:
        _print_json([_facts(tenant) for tenant in tenancy.tenants()])
        return
    for tenant in tenancy.tenants():
        domain = tenant.domains[0] if tenant.domains else "-"
        click.echo(f"{tenant.key}\t{tenant.state}\t{tenant.revision or '-'}\t{tenant.server}\t{domain}")


@main.command()
@click.argument("key")
@as_json_option
@pass_tenancy
def show(tenancy: Tenancy, key: str, *, as_json: bool) -> None:
    """One tenant with its steps and its history."""
    with _errors():
        tenant, progress = tenancy.tenant(key), tenancy.progress(key)
    if as_json:
        steps = [{"name": step.name, "state": step.state, "seconds": step.seconds} for step in progress.steps]
        operation = {"kind": progress.operation, "attempts": progress.attempts, "is_done": progress.is_done, "error": progress.error}
        moves = [
            {"at": entry.at.isoformat(), "before": entry.before, "after": entry.after, "reason": entry.reason, "actor": entry.actor}
            for entry in tenancy.history(key)
        ]
        _print_json(_facts(tenant) | {"operation": operation | {"steps": steps}, "history": moves})
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


@main.group()
def servers() -> None:
    """Where tenants' databases live."""


@servers.command("list")
@as_json_option
@pass_tenancy
def list_servers(tenancy: Tenancy, *, as_json: bool) -> None:
    """A line for each server: name, state, tenants of its capacity."""
    found = tenancy.servers.list()
    if as_json:
        _print_json([{"name": it.name, "state": it.state, "tenants": it.tenants, "capacity": it.capacity} for it in found])
        return
    for it in found:
        click.echo(f"{it.name}\t{it.state}\t{it.tenants}/{it.capacity}")


@main.group()
def domains() -> None:
    """The hosts that tenants answer to."""


@domains.command("list")
@click.argument("key")
@as_json_option
@pass_tenancy
def list_domains(tenancy: Tenancy, key: str, *, as_json: bool) -> None:
    """A tenant's hosts, the primary first, and its claims with the TXT record that proves them."""
    with _errors():
        found = tenancy.domains.list(key)
    if as_json:
        _print_json([_domain_facts(domain) for domain in found])
        return
    for domain in found:
        click.echo(_line(domain))


@domains.command("add")
@click.argument("key")
@click.argument("host")
@click.option("--primary", is_flag=True, help="Make it the primary, for a claim when it is proved.")
@click.option("--verified", is_flag=True, help="Give it at once: no proof is needed.")
@pass_tenancy
def add_domain(tenancy: Tenancy, key: str, host: str, *, primary: bool, verified: bool) -> None:
    """Claim a host for a tenant, and say what to put into its DNS."""
    with _errors(), Session(tenancy.domains.catalog) as session, session.begin():
        click.echo(_line(tenancy.domains.add(session, key, host, primary=primary, verified=verified)))


@domains.command("verify")
@click.argument("key")
@click.argument("host")
@pass_tenancy
def verify_domain(tenancy: Tenancy, key: str, host: str) -> None:
    """Ask DNS for a claimed host's proof, and give it to the tenant."""
    try:
        from .dns_lookup import txt_values  # an extra that the other commands do without
    except ImportError as error:
        raise click.ClickException("dnspython is missing: install roomtone-tenancy[dns].") from error
    with _errors():
        found = tenancy.domains.ask_dns(host, txt_values)
        with Session(tenancy.domains.catalog) as session, session.begin():
            click.echo(_line(tenancy.domains.verify(session, key, host, found)))


def _line(domain: Domain) -> str:
    if domain.challenge is not None:
        return f"{domain.host}\tclaimed\t{domain.challenge.name} TXT {domain.challenge.value}"
    return f"{domain.host}\t{'primary' if domain.is_primary else 'verified'}"


def _facts(tenant: Tenant) -> dict[str, Any]:  # what JSON holds
    fields = ("key", "state", "revision", "server", "database", "epoch")
    return {name: getattr(tenant, name) for name in fields} | {"domains": list(tenant.domains), "created_at": tenant.created_at.isoformat()}


def _domain_facts(domain: Domain) -> dict[str, Any]:  # what JSON holds
    challenge = domain.challenge and {"name": domain.challenge.name, "value": domain.challenge.value}
    return {"host": domain.host, "is_primary": domain.is_primary, "is_verified": domain.is_verified, "challenge": challenge}


def _print_json(value: Any) -> None:  # what JSON holds
    click.echo(json.dumps(value, indent=2))


@contextmanager
def _errors() -> Iterator[None]:
    """Show this package's errors as one line."""
    try:
        yield
    except TenancyError as error:
        raise click.ClickException(str(error)) from error
