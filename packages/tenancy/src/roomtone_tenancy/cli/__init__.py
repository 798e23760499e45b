"""The `tenancy` command: one module for each group of verbs; `MODULES` is where a new one joins."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click

from ..tenancy import Tenancy
from . import backups, clones, doctor, domains, exports, life, migrate, pool, secrets, servers, tenants

MODULES = (
    tenants,
    life,
    backups,
    clones,
    exports,
    migrate,
    servers,
    domains,
    pool,
    secrets,
    doctor,
)
"""Each has `COMMANDS`, what it adds to `tenancy`."""


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


for module in MODULES:
    for command in module.COMMANDS:
        main.add_command(command)


def commands_of(tenancy: Tenancy) -> click.Group:
    """The same commands for an application's own command line, without `--app`."""

    @click.pass_context
    def enter(context: click.Context) -> None:
        context.obj = tenancy

    return click.Group("tenancy", commands=dict(main.commands), callback=enter, help="Work with the tenants of this application.")
