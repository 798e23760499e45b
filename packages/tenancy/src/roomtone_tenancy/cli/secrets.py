"""`rotate-keys`, `rotate-passwords`: replace secrets while tenants are served."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime

import click

from ..logins import PasswordReport
from ..sealed_rows import KeyRotation
from ..secrecy import DRAIN_S
from ..tenancy import Tenancy
from .application import pass_tenancy
from .output import as_json_option, plain_errors, print_json, yes_option


@click.command("rotate-keys")
@click.option("--batch", default=200, show_default=True, type=click.IntRange(min=1), help="Rows in one transaction.")
@as_json_option
@pass_tenancy
def rotate_keys(tenancy: Tenancy, *, batch: int, as_json: bool) -> None:
    """Bring every secret under the current master key.

    Exit status 1 when one could not be. Interrupted anywhere, it is simply run again.
    """

    def tell(so_far: KeyRotation) -> None:
        click.echo(f"{so_far.rewrapped} under {so_far.key_id}, {so_far.left} to go", err=True)

    with plain_errors():
        done = tenancy.secrets.rotate_keys(batch=batch, on_progress=None if as_json else tell)
    if as_json:
        print_json({"key_id": done.key_id, "rewrapped": done.rewrapped, "left": done.left, "failed": dict(done.failed)})
    else:
        click.echo(f"{done.key_id}: {done.rewrapped} secrets brought under it, {done.left} under other keys")
        for row, reason in done.failed.items():
            click.echo(f"{row}: {reason}", err=True)
    if done.left:
        sys.exit(1)


@click.command("rotate-passwords")
@click.argument("keys", nargs=-1)
@click.option("--older-than", metavar="TIME", help="Take passwords set before it only, as 2026-08-01T00:00:00+00:00; now if left out.")
@click.option(
    "--drain", "drain_s", default=DRAIN_S, show_default=True, type=click.FloatRange(min=0), help="Seconds; 0 cuts off who connects."
)
@click.option("--retire", is_flag=True, help="Replace nothing: close the logins that were replaced --drain seconds ago.")
@yes_option
@as_json_option
@pass_tenancy
def rotate_passwords(
    tenancy: Tenancy, keys: tuple[str, ...], *, older_than: str | None, drain_s: float, retire: bool, yes: bool, as_json: bool
) -> None:
    """Give tenants new logins while they work.

    All of them unless KEYS are named; exit status 1 when one failed. Open sessions go on with the old login. Interrupted, it says with
    which --older-than it goes on.
    """
    if drain_s == 0 and not yes:
        click.confirm("Processes that just connect with the login before will be cut off. Go on?", abort=True, err=True)
    since = _time(older_than)
    if not as_json and not retire:
        click.echo(f"To go on after an interruption: --older-than {since.isoformat()}", err=True)
    tell: Callable[[str, str | None], None] | None = None if as_json else _tell
    with plain_errors():
        for key in keys:
            tenancy.tenant(key)
        if retire:
            report = tenancy.secrets.retire(drain_s=drain_s, on_tenant=tell)
        else:
            report = tenancy.secrets.rotate_passwords(
                lambda tenant: not keys or tenant.key in keys, older_than=since, drain_s=drain_s, on_tenant=tell
            )
    _print(report, "retired" if retire else "replaced", since, as_json=as_json)
    if report.failed:
        sys.exit(1)


COMMANDS = (rotate_keys, rotate_passwords)


def _tell(key: str, error: str | None) -> None:
    click.echo(f"{key}: {error or 'done'}", err=True)


def _print(report: PasswordReport, verb: str, since: datetime, *, as_json: bool) -> None:
    if as_json:
        print_json({"done": report.done, "skipped": report.skipped, "failed": dict(report.failed), "older_than": since.isoformat()})
    else:
        click.echo(f"{len(report.done)} {verb}, {len(report.skipped)} without a login to replace, {len(report.failed)} failed")


def _time(text: str | None) -> datetime:
    try:
        time = datetime.fromisoformat(text) if text is not None else datetime.now(UTC)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no ISO 8601 time.", param_hint="--older-than") from error
    if time.tzinfo is None:
        raise click.BadParameter(f"{text!r} lacks its offset from UTC, as in +00:00.", param_hint="--older-than")
    return time
