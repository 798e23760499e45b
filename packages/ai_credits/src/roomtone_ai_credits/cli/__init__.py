"""`credits`: look into the books of a database, change them by hand, and prove them. `MODULES` is where a new group of commands joins."""

from __future__ import annotations

import click

from ..credits import AiCredits
from . import accounts, keeping, limits, reports

MODULES = (accounts, limits, reports, keeping)
"""Each has `COMMANDS`, what it adds to `credits`."""


@click.group()
def main() -> None:
    """Look into the credit books of a database, change them by hand, and prove them."""


for module in MODULES:
    for command in module.COMMANDS:
        main.add_command(command)


def commands_of(credits_: AiCredits) -> click.Group:
    """The same commands for an application's own command line, on its own ledger and at its own prices."""

    @click.pass_context
    def enter(context: click.Context) -> None:
        context.obj = credits_

    return click.Group("credits", commands=dict(main.commands), callback=enter, help="Work with the credits of this application.")
