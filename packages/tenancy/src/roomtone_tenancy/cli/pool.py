"""`pool`: databases kept ready for new tenants."""

from __future__ import annotations

from dataclasses import asdict

import click

from ..tenancy import Tenancy
from .application import pass_tenancy
from .output import as_json_option, plain_errors, print_json, print_table, yes_option

server_option = click.option("--server", metavar="NAME", help="This one only.")


@click.group()
def pool() -> None:
    """Spare databases, kept ready for new tenants."""


@pool.command("status")
@as_json_option
@pass_tenancy
def pool_status(tenancy: Tenancy, *, as_json: bool) -> None:
    """A line for each server: spares ready, being made, and of an older revision."""
    with plain_errors():
        found = tenancy.spares.status()
    if as_json:
        print_json([asdict(it) for it in found])
        return
    print_table(("server", "ready", "making", "outdated"), [(it.server, it.ready, it.making, it.outdated) for it in found])


@pool.command("fill")
@click.option("--to", "target", type=click.IntRange(min=0), help="Ready ones on each server; what the application says if left out.")
@server_option
@as_json_option
@pass_tenancy
def fill_pool(tenancy: Tenancy, *, target: int | None, server: str | None, as_json: bool) -> None:
    """Make the spares that are missing, and drop those of an older revision."""
    with plain_errors():
        made = tenancy.spares.refill(target, server=server)
        ready = tenancy.spares.ready(server)
    if as_json:
        print_json({"made": made, "ready": ready})
    else:
        click.echo(f"{made} made, {ready} ready")


@pool.command("drain")
@server_option
@yes_option
@as_json_option
@pass_tenancy
def drain_pool(tenancy: Tenancy, *, server: str | None, yes: bool, as_json: bool) -> None:
    """Drop every spare: before a server goes out of use."""
    with plain_errors():
        if not yes:
            where = f"on {server!r}" if server is not None else "on every server"
            click.confirm(f"Drop {tenancy.spares.ready(server)} ready spares and the unfinished ones {where}?", abort=True, err=True)
        dropped = tenancy.spares.empty(server=server)
    if as_json:
        print_json({"dropped": dropped})
    else:
        click.echo(f"{dropped} dropped")


COMMANDS = (pool,)
