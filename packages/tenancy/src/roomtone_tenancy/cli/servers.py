"""`servers`: where tenants' databases live."""

from __future__ import annotations

import click

from ..tenancy import Tenancy
from .output import as_json_option, pass_tenancy, plain_errors, print_json, print_table


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
        print_json([{"name": it.name, "state": it.state, "tenants": it.tenants, "capacity": it.capacity} for it in found])
        return
    print_table(("server", "state", "tenants"), [(it.name, it.state, f"{it.tenants}/{it.capacity}") for it in found])


COMMANDS = (servers,)
