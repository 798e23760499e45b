"""`doctor`: what needs attention."""

from __future__ import annotations

import sys

import click

from ..tenancy import Tenancy
from .output import as_json_option, pass_tenancy, plain_errors, print_json


@click.command()
@as_json_option
@pass_tenancy
def doctor(tenancy: Tenancy, *, as_json: bool) -> None:
    """Say what needs attention; exit status 1 when something does."""
    with plain_errors():
        findings = tenancy.doctor()
    if as_json:
        print_json(findings)
    else:
        click.echo("\n".join(findings) or "all is well")
    if findings:
        sys.exit(1)


COMMANDS = (doctor,)
