"""Commands of upkeep: worker, replay, backfill, reconcile, doctor and figures."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from .host import app, as_json, dump, table, tried

if TYPE_CHECKING:
    from ..billing import Billing

MOMENTS = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


def _utc(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at else None


@click.command()
@app
@as_json
@click.option("--once", is_flag=True, help="Work until nothing is due, then end.")
@click.option("--idle-max", default=10.0, show_default=True, type=click.FloatRange(0.1, 3600), help="Longest wait in seconds.")
def worker(billing: Billing, is_json: bool, once: bool, idle_max: float) -> None:
    """Turn stored events into effects until told to stop (SIGTERM or SIGINT ends it between two rounds).

    Run as many as you like, and kill any of them at any time: the others take up what it left.
    """
    from ..worker import Rhythm, Worker

    rhythm = Rhythm(idle_s=min(0.5, idle_max), idle_s_max=idle_max)
    running = Worker(billing, rhythm=rhythm, wait=(lambda _: True) if once else None)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: running.stop())
    _say({"steps": running.run()}, "{steps} steps done", is_json=is_json)


@click.command()
@app
@as_json
@click.argument("event_id", required=False)
@click.option("--since", type=MOMENTS, help="Received from then on (UTC).")
@click.option("--until", type=MOMENTS, help="Received before then (UTC); default now.")
@click.option("--failed", is_flag=True, help="All that were put aside after too many failures.")
def replay(billing: Billing, *, is_json: bool, event_id: str | None, since: datetime | None, until: datetime | None, failed: bool) -> None:
    """Take stored events up again: one, those of a time, or those that failed; the worker does the rest.

    Safe at any time and twice: the truth is fetched, and no handler has an effect again.
    """
    if sum([event_id is not None, since is not None, failed]) != 1:
        raise click.UsageError("name one event, or --since with or without --until, or --failed")
    if event_id is not None:
        tried(lambda: billing.replay(event_id))
        _say({"event": event_id, "events": 1}, "{event} is pending again", is_json=is_json)
        return
    if failed:
        count = billing.upkeep.replay_failed()
    else:
        count = billing.upkeep.replay_between(_utc(since) or billing.clock(), _utc(until) or billing.clock())
    _say({"events": count}, "{events} events are pending again", is_json=is_json)


@click.command()
@app
@as_json
@click.option("--since", type=MOMENTS, help="Compare again from then on (UTC); default where the last run stopped.")
@click.option("--pages", default=100, show_default=True, type=click.IntRange(1, 10_000), help="At most so many pages of a hundred events.")
def backfill(billing: Billing, is_json: bool, since: datetime | None, pages: int) -> None:
    """Fetch the events of the last thirty days that never came, connected accounts' too."""
    done = tried(lambda: billing.upkeep.backfill(since=_utc(since), pages_max=pages))
    if is_json:
        dump(done)
        return
    click.echo(f"{done.missing} of {done.compared} events were missing" + ("" if done.is_complete else "; run it again to go on"))
    if done.refused:
        click.echo(f"could not be asked, and may have left: {', '.join(done.refused)}")
    if done.missing:
        click.echo(f"between {done.gap_from:%Y-%m-%d %H:%M} and {done.gap_until:%Y-%m-%d %H:%M} UTC")


@click.command()
@app
@as_json
@click.option("--pages", default=1000, show_default=True, type=click.IntRange(1, 100_000), help="At most so many pages of a hundred.")
@click.option("--calls-per-second", default=10.0, show_default=True, type=click.FloatRange(0.1, 100))
def reconcile(billing: Billing, is_json: bool, pages: int, calls_per_second: float) -> None:
    """Compare every account with Stripe, say field by field what differed, and repair it; then the same for connected accounts."""
    done = tried(lambda: billing.upkeep.reconcile(pages_max=pages, calls_per_s=calls_per_second))
    sellers = tried(lambda: billing.upkeep.reconcile_sellers(pages_max=pages, calls_per_s=calls_per_second))
    if is_json:
        dump({"accounts": asdict(done), "sellers": asdict(sellers)})
        return
    click.echo(f"{done.listed} subscriptions in {done.calls} calls, {done.foreign} of others, {len(done.drifts)} accounts repaired")
    if sellers.calls:
        compared = f"{sellers.sellers} connected accounts with {sellers.payments} payments"
        click.echo(f"{compared} in {sellers.calls} calls, {len(sellers.drifts)} repaired")
    if drifts := [*done.drifts, *sellers.drifts]:
        rows = [
            (one.account, f"{one.since:%Y-%m-%d %H:%M}" if one.since else "never", field) for one in drifts for field in one.differences
        ]
        table(("account", "true until", "what differed"), rows)
    for account in [*done.failed, *sellers.failed]:
        click.echo(f"{account} could not be fetched; the worker tries again")
    if not (done.is_complete and sellers.is_complete):
        click.echo("stopped at the bound; run it again to go on")


@click.command()
@app
@as_json
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
def drifts(billing: Billing, is_json: bool, limit: int) -> None:
    """List what reconciliations found, newest first."""
    found = billing.upkeep.drifts(limit)
    if is_json:
        dump(found)
        return
    table(
        ("found", "account", "what differed"),
        [(f"{one.found_at:%Y-%m-%d %H:%M}", one.account, field) for one in found for field in one.differences],
    )


@click.command()
@app
@as_json
@click.option("--url", help="The address of the webhook route.")
@click.pass_context
def doctor(ctx: click.Context, billing: Billing, is_json: bool, url: str | None) -> None:
    """Check key, endpoint, API version, secrets, delivery, catalogue, backlog and clock; exit 1 when something is wrong."""
    found = billing.upkeep.examine(url=url)
    if is_json:
        dump(found)
    else:
        table(("", "check", "found", "do"), [("ok" if one.is_ok else "!!", one.check, one.detail, one.fix) for one in found])
    if not all(one.is_ok for one in found):
        ctx.exit(1)


@click.command()
@app
@as_json
@click.pass_context
def status(ctx: click.Context, billing: Billing, is_json: bool) -> None:
    """Show the backlog and every violated invariant; exit 1 when there is one."""
    backlog, violations = billing.upkeep.backlog(), billing.upkeep.violations()
    if is_json:
        dump([backlog, violations])
    else:
        table(
            ("", "", "oldest waits"),
            [
                ("inbox", _states(backlog.inbox), f"{backlog.inbox_age_s:.0f} s"),
                ("outbox", _states(backlog.outbox), f"{backlog.outbox_age_s:.0f} s"),
                ("metered", _states(backlog.metered), f"{backlog.metered_age_s:.0f} s"),
                ("to fetch", f"{backlog.dirty} accounts, {backlog.sellers} connected, {backlog.failing} failed last time", ""),
                ("to sweep", f"{backlog.overdue} accounts", f"{backlog.sweep_age_s:.0f} s"),
                ("to close", f"{backlog.closing} accounts", f"{backlog.closing_age_s:.0f} s"),
            ],
        )
        table(("violated", "of", "what"), [(one.invariant, one.subject, one.detail) for one in violations])
    if violations:
        ctx.exit(1)


@click.command()
@app
@as_json
@click.option("--keep-days", default=90, show_default=True, type=click.IntRange(31, 36_500))
def forget(billing: Billing, is_json: bool, keep_days: int) -> None:
    """Delete events of Stripe that were dealt with long ago; those kept still tell a repetition."""
    _say({"events": billing.upkeep.forget(keep=timedelta(days=keep_days))}, "{events} events deleted", is_json=is_json)


def _states(states: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items()))


def _say(facts: dict[str, object], sentence: str, *, is_json: bool) -> None:
    if is_json:
        dump(facts)
    else:
        click.echo(sentence.format(**facts))


COMMANDS = (worker, replay, backfill, reconcile, drifts, doctor, status, forget)
