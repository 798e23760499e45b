"""`migrate`: the whole fleet to the newest revision, in waves, by any number of processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console

from ..fleet.rollout import Rollout
from ..fleet.status import RunStatus
from ..tenancy import Tenancy
from .application import pass_tenancy
from .output import as_json_option, plain_errors, print_json, print_table
from .run_display import live

_WAVES = (
    click.option("--canary", default=1, show_default=True, help="Tenants of the first wave; one that fails stops the run."),
    click.option("--batch", type=int, help="Tenants of each later wave; all in one when left out."),
    click.option("--first", multiple=True, metavar="KEY", help="A tenant to begin with; may be given several times."),
)
_LIMITS = (
    click.option("--parallel", default=4, show_default=True, help="Tenants that one process works on at once."),
    click.option("--processes", default=1, show_default=True, help="Processes here; others may be started anywhere."),
    click.option("--per-server", type=int, help="Tenants of one server at once, over all processes."),
    click.option("--stop-after", type=int, metavar="FAILURES", help="Begin nothing more after so many."),
    click.option("--attempts", default=3, show_default=True, help="Tries for a tenant whose failure may pass by itself."),
    click.option("--lock-timeout-ms", default=3000, show_default=True, help="How long a statement waits for a lock."),
    click.option("--statement-timeout-ms", default=0, show_default=True, help="How long a statement may take; 0 is no limit."),
    click.option(
        "--replay/--no-replay", default=True, show_default=True, help="Send recorded statements where that is proved to be the same."
    ),
)


def _with(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:  # Click's decorators
    def decorate(command: Any) -> Any:  # a command's function
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.group(invoke_without_command=True)
@click.pass_context
def migrate(context: click.Context) -> None:
    """Bring every tenant to the newest revision; without a verb: run."""
    if context.invoked_subcommand is None:
        context.invoke(run)


@migrate.command()
@_with(*_WAVES)
@click.option("--sql", is_flag=True, help="Print the statements instead, a script for each server and revision.")
@as_json_option
@pass_tenancy
def plan(tenancy: Tenancy, *, canary: int, batch: int | None, first: tuple[str, ...], sql: bool, as_json: bool) -> None:
    """Say what run would do, and do nothing."""
    with plain_errors():
        planned = tenancy.fleet.plan(_rollout(canary=canary, batch=batch), first=first)
        scripts = [(server, since, tenancy.fleet.sql(server, since=since)) for server, since in _origins(planned.tenants)] if sql else []
    if sql:
        for server, since, script in scripts:
            click.echo(f"-- On {server}, from {since}\n{script}")
    elif as_json:
        tenants = [
            {"tenant": it.key, "server": it.server, "before": it.before, "revisions": it.revisions, "wave": it.wave}
            for it in planned.tenants
        ]
        print_json({"target": planned.target, "templates": planned.templates, "tenants": tenants})
    else:
        rows = [(it.wave, it.key, it.server, it.before or "-", " ".join(it.revisions)) for it in planned.tenants]
        print_table(("wave", "tenant", "server", "at", "to run"), rows)
        click.echo(f"head {planned.target}: {len(planned.tenants)} to migrate, {len(planned.templates)} templates to make")


@migrate.command()
@_with(*_WAVES, *_LIMITS)
@as_json_option
@pass_tenancy
def run(tenancy: Tenancy, /, *, first: tuple[str, ...], processes: int, as_json: bool, **settings: Any) -> None:  # Any: a Rollout's
    """Begin a run, or help with the one that is running.

    Exit status 1 unless all came to the head.
    """
    rollout = _rollout(**settings)
    with plain_errors(), _others(processes), _shown(tenancy, as_json=as_json) as tell:
        status = tenancy.fleet.run(rollout, first=first, on_tenant=tell)
    _conclude(status, as_json=as_json)


@migrate.command()
@click.option("--parallel", type=int, help="Tenants that this process works on at once; as the run began when left out.")
@as_json_option
@pass_tenancy
def resume(tenancy: Tenancy, *, parallel: int | None, as_json: bool) -> None:
    """Go on with the newest run, also with those that failed.

    Exit status 1 unless all came to the head.
    """
    with plain_errors(), _shown(tenancy, as_json=as_json) as tell:
        status = tenancy.fleet.resume(parallel=parallel, on_tenant=tell)
    _conclude(status, as_json=as_json)


@migrate.command()
@as_json_option
@pass_tenancy
def stop(tenancy: Tenancy, *, as_json: bool) -> None:
    """Have every process finish what it works on and begin nothing more."""
    was_running = tenancy.fleet.stop()
    if as_json:
        print_json({"stopped": was_running})
    else:
        click.echo("stopped" if was_running else "no run is running")


@migrate.command()
@click.argument("number", type=int, required=False)
@as_json_option
@pass_tenancy
def status(tenancy: Tenancy, *, number: int | None, as_json: bool) -> None:
    """Say how far a run is, the newest unless its number is given."""
    with plain_errors():
        found = tenancy.fleet.status(number)
    if as_json:
        print_json(found.to_json())
        return
    click.echo(f"run {found.id} to {found.target}: {found.state}" + (f" ({found.reason})" if found.reason else ""))
    print_table(("state", "tenants"), [(state, count) for state, count in sorted(found.counts.items())])
    if found.rate is not None:
        left = "" if found.remaining_s is None else f", {found.remaining_s:.0f} s to go"
        click.echo(f"{found.rate:.1f} tenants a second{left}")
    for revision, reason in sorted(found.unreplayed.items()):
        click.echo(f"{revision} is run by Alembic: {reason}")
    for failure in found.failures:
        click.echo(f"{failure.key}: {failure.error} (attempts: {failure.attempts})")


@migrate.command()
@click.option("--parallel", default=8, show_default=True, help="Databases asked at once.")
@click.option("--schema", is_flag=True, help="Compare the tables too, as Alembic does.")
@click.option("--repair", is_flag=True, help="Set the catalog's revisions to the databases' own.")
@as_json_option
@pass_tenancy
def verify(tenancy: Tenancy, *, parallel: int, schema: bool, repair: bool, as_json: bool) -> None:
    """Ask the databases what the catalog says of them.

    Exit status 1 when they say otherwise.
    """
    with plain_errors():
        try:
            found = tenancy.fleet.verify(parallel=parallel, schema=schema, repair=repair)
        except ValueError as error:
            raise click.ClickException(str(error)) from error
    if as_json:
        print_json(found.to_json())
    else:
        for drift in found.drift:
            click.echo(str(drift))
        click.echo(f"{found.checked} asked in {found.seconds:.1f} s: {len(found.drift)} differences, {len(found.repaired)} repaired")
    if not found.is_clean:
        sys.exit(1)


COMMANDS = (migrate,)


def _rollout(**settings: Any) -> Rollout:  # Any: a Rollout's
    try:
        return Rollout(**settings)
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def _origins(tenants: Any) -> list[tuple[str, str]]:  # planned tenants
    return sorted({(it.server, it.before) for it in tenants if it.before is not None})


@contextmanager
def _others(processes: int) -> Iterator[None]:
    """The same command in further processes, which share the run; what they did is in the catalog."""
    again = [*sys.orig_argv, "--processes", "1", "--json"]  # of options given twice the last one counts
    others = [subprocess.Popen(again, stdout=subprocess.DEVNULL) for _ in range(processes - 1)]
    try:
        yield
    finally:
        for other in others:
            other.wait()


@contextmanager
def _shown(tenancy: Tenancy, *, as_json: bool) -> Iterator[Callable[[str, str | None], None]]:
    """A live display on a terminal, a line for each tenant in a pipe, nothing for programs."""
    console = Console(stderr=True)
    if as_json:
        yield lambda _key, _error: None
    elif not console.is_terminal:
        yield lambda key, error: click.echo(f"{key}: {error or 'migrated'}")
    else:
        with live(tenancy.fleet, console):
            yield lambda _key, _error: None


def _conclude(status: RunStatus, *, as_json: bool) -> None:
    if as_json:
        print_json(status.to_json())
    else:
        done = sum(count for state, count in status.counts.items() if state == "done")
        click.echo(
            f"head {status.target}: {done} migrated, {len(status.failures)} failed" + (f" ({status.reason})" if status.reason else "")
        )
    if not status.is_success:
        sys.exit(1)
