"""The `tenancy` command: one module for each group of verbs; `SECTIONS` is where a new one joins."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import click

from ..tenancy import Tenancy
from . import backups, clones, doctor, domains, exports, init, life, migrate, pool, secrets, servers, shell, tenants
from .application import DEFAULT, Application, named

WIDTH_MAX = 100
SECTIONS: Mapping[str, tuple[click.Command, ...]] = MappingProxyType(
    {
        "Begin": init.COMMANDS,
        "Tenants": (*tenants.COMMANDS, *life.COMMANDS, *domains.COMMANDS, *shell.COMMANDS),
        "Their data": (*backups.COMMANDS, *clones.COMMANDS, *exports.COMMANDS),
        "The fleet": (*migrate.COMMANDS, *pool.COMMANDS, *servers.COMMANDS, *secrets.COMMANDS, *doctor.COMMANDS),
    }
)
_SETTINGS = {"max_content_width": WIDTH_MAX, "help_option_names": ["-h", "--help"]}


class Sections(click.Group):
    """A group that shows its commands under the titles of `SECTIONS`, in their order."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- the signature is Click's
        """As Click's, section by section."""
        room = formatter.width - 6 - max(map(len, self.commands))
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(each.name or "", each.get_short_help_str(room)) for each in commands], col_spacing=3)


def _commands() -> dict[str, click.Command]:
    return {command.name or "": command for commands in SECTIONS.values() for command in commands}


@click.group(cls=Sections, commands=_commands(), context_settings=_SETTINGS)
@click.option(
    "--app",
    "target",
    default=DEFAULT,
    show_default=True,
    metavar="MODULE:FUNCTION",
    help="Where a function without arguments gives the Tenancy.",
)
@click.pass_context
def main(context: click.Context, target: str) -> None:
    """Work with the tenants of an application.

    Every command has --json for programs. In a pipe tables are lines of cells parted by tabs.
    """
    context.obj = application = named(target)
    context.call_on_close(application.close)


def commands_of(tenancy: Tenancy) -> click.Group:
    """The same commands for an application's own command line, without `--app`."""

    @click.pass_context
    def enter(context: click.Context) -> None:
        context.obj = Application(lambda: tenancy, is_ours=False)

    return Sections(
        "tenancy", commands=_commands(), callback=enter, help="Work with the tenants of this application.", context_settings=_SETTINGS
    )
