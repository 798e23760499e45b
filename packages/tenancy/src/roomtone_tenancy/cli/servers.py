"""`servers`: where tenants' databases live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from sqlalchemy.orm import Session

from ..server import Server
from ..servers import ServerStatus
from ..tenancy import Tenancy
from .application import pass_tenancy
from .output import as_json_option, plain_errors, print_json, print_table, yes_option


@click.group()
def servers() -> None:
    """Where tenants' databases live."""


@servers.command("list")
@as_json_option
@pass_tenancy
def list_servers(tenancy: Tenancy, *, as_json: bool) -> None:
    """A line for each server: name, state, tenants of its capacity."""
    with plain_errors():
        found = tenancy.servers.list()
    if as_json:
        print_json([_facts(it) for it in found])
        return
    print_table(("server", "state", "tenants"), [(it.name, it.state, f"{it.tenants}/{it.capacity}") for it in found])


@servers.command("add")
@click.argument("name")
@click.option("--url", prompt="Its administrator's URL", hide_input=True, help="Its administrator's URL; asked for when left out.")
@click.option("--capacity", default=1000, show_default=True, type=click.IntRange(min=0), help="Tenants at most.")
@click.option("--region", "regions", multiple=True, help="Where it is; again for more.")
@as_json_option
@pass_tenancy
def add_server(tenancy: Tenancy, name: str, *, url: str, capacity: int, regions: tuple[str, ...], as_json: bool) -> None:
    """Add the server NAME to the catalog, which seals its address."""
    with plain_errors(), Session(tenancy.domains.catalog) as session, session.begin():
        tenancy.servers.add(session, Server(name, url, capacity=capacity, regions=regions))
    _print(tenancy, name, as_json=as_json)


@servers.command("drain")
@click.argument("name")
@as_json_option
@pass_tenancy
def drain_server(tenancy: Tenancy, name: str, *, as_json: bool) -> None:
    """Place no new tenants on the server NAME; those that it has work on."""
    _set(tenancy, tenancy.servers.drain, name, as_json=as_json)


@servers.command("accept")
@click.argument("name")
@as_json_option
@pass_tenancy
def accept_server(tenancy: Tenancy, name: str, *, as_json: bool) -> None:
    """Let the server NAME take new tenants again."""
    _set(tenancy, tenancy.servers.accept, name, as_json=as_json)


@servers.command("disable")
@click.argument("name")
@yes_option
@as_json_option
@pass_tenancy
def disable_server(tenancy: Tenancy, name: str, *, yes: bool, as_json: bool) -> None:
    """Give nobody a session on the server NAME; asks."""
    if not yes:
        click.confirm(f"Refuse every tenant on {name} all work?", abort=True, err=True)
    _set(tenancy, tenancy.servers.disable, name, as_json=as_json)


COMMANDS = (servers,)


def _set(tenancy: Tenancy, verb: Callable[[Session, str], None], name: str, *, as_json: bool) -> None:
    with plain_errors(), Session(tenancy.domains.catalog) as session, session.begin():
        verb(session, name)
    _print(tenancy, name, as_json=as_json)


def _print(tenancy: Tenancy, name: str, *, as_json: bool) -> None:
    found = next(each for each in tenancy.servers.list() if each.name == name)
    if as_json:
        print_json(_facts(found))
    else:
        click.echo(f"{found.name}: {found.state}, {found.tenants}/{found.capacity} tenants")


def _facts(it: ServerStatus) -> dict[str, Any]:  # what JSON holds
    return {"name": it.name, "state": it.state, "tenants": it.tenants, "capacity": it.capacity}
