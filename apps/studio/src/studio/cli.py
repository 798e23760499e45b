"""The `studio` command."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from studio.config import Settings
from studio.embedded import EmbeddedPostgresError
from studio.errors import SetupError

if TYPE_CHECKING:
    from studio.services import Services


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Runs recording studios, one database per studio."""


@main.command()
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(1024, 65000),
    help="Port of the web server; the offline Stripe takes the next one.",
)
@click.option(
    "--data",
    default=Path(".studio"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that keeps everything.",
)
@click.option("--fresh", is_flag=True, help="Forget what the folder held and start over.")
@click.option("--check", is_flag=True, help="Walk the main path over HTTP, print a line per step, stop; exit code 1 when a step fails.")
def demo(*, port: int, data: Path, fresh: bool, check: bool) -> None:
    """Start everything on this machine, with three demo studios."""
    from rich.console import Console

    from studio.demo import check as walk
    from studio.demo import launcher

    given = Settings().database_url
    wanted = launcher.Demo(port=port, data=data, fresh=fresh, database_url=given.get_secret_value() if given else None)
    console = Console(highlight=False)
    for stop in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell that starts us in the background has it ignored
        signal.signal(stop, signal.default_int_handler)
    with _plain_errors():
        try:
            if check:
                sys.exit(0 if walk.run(wanted, console) else 1)
            launcher.serve(wanted, console)
        except KeyboardInterrupt:
            console.print("Stopped.")


@main.command()
@click.option("--bind", default="127.0.0.1:8000", show_default=True, help="Address and port to listen on.")
def serve(bind: str) -> None:
    """Run the web server."""
    from studio import wiring
    from studio.app import create_app
    from studio.control import control_database
    from studio.server import Server

    settings = _settings()
    with _plain_errors(), control_database(settings) as url:
        Server(settings, bind=bind, make=lambda: create_app(wiring.build(settings, database_url=url))).run()


@main.command()
@click.option("--ready-file", type=click.Path(dir_okay=False, path_type=Path), help="Touched once the worker has caught up.")
def worker(ready_file: Path | None) -> None:
    """Run the job worker."""
    from studio import worker as process
    from studio.app import create_app

    with _services() as services:
        process.run(services, create_app(services).platform, ready_file=ready_file)


@main.command()
def upgrade() -> None:
    """Bring the control database, the template and every studio to the newest schema."""
    from studio import wiring

    with _services() as services:
        wiring.install_schemas(services)
        report = services.database.tenancy.migrate(on_tenant=lambda key, fault: click.echo(f"  {key}: {fault or 'done'}"))
        click.echo(f"{len(report.migrated)} studios migrated, {len(report.failed)} failed; head is {report.head}.")
        if report.failed:
            for key, reason in report.failed.items():
                click.echo(f"  {key}: {reason}", err=True)
            sys.exit(1)


@main.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def tenancy(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Operate the studios' databases: `studio tenancy --help` lists the verbs."""
    from roomtone_tenancy.cli import commands_of

    with _services() as services:
        commands_of(services.database.tenancy).main(list(arguments), prog_name=context.command_path, standalone_mode=False)


@main.command()
def publish() -> None:
    """Make the plans' products and prices at Stripe; what is there already is left alone."""
    with _services() as services:
        for change in services.billing.publish():
            click.echo(f"  {change}")
        click.echo("The plans are at Stripe.")


@main.command()
@click.option("--force", is_flag=True, help="Build even when the sources did not change.")
def build(*, force: bool) -> None:
    """Build the front end and the translations."""
    from studio import frontend

    with _plain_errors():
        built = frontend.build(progress=click.echo, force=force)
        click.echo("Built." if built else "Nothing changed.")


@main.command()
@click.argument("email")
@click.option("--name", prompt=True)
@click.password_option()
def staff(email: str, name: str, password: str) -> None:
    """Make a person of our own staff, who may enter the back-office."""
    from studio.platform import accounts

    with _services() as services, _plain_errors(), services.database.control() as db:
        accounts.create_user(db, email=email, name=name, password=password, locale="en", is_staff=True)
        click.echo(f"{email} may sign in at {services.settings.scheme}://{services.settings.backoffice_host}")


def _settings() -> Settings:
    from studio import logs

    settings = Settings()
    logs.configure(settings.log_format)
    return settings


@contextmanager
def _services() -> Iterator[Services]:
    from studio import wiring
    from studio.control import control_database

    settings = _settings()
    with _plain_errors(), control_database(settings) as url:
        services = wiring.build(settings, database_url=url)
        try:
            yield services
        finally:
            services.database.tenancy.dispose()
            services.database.engine.dispose()


@contextmanager
def _plain_errors() -> Iterator[None]:
    """A sentence instead of a traceback for what an operator can mend."""
    try:
        yield
    except (SetupError, EmbeddedPostgresError) as error:
        raise click.ClickException(str(error)) from error
