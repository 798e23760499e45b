"""`billing offline-stripe`: serves an offline Stripe for development."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from .chaos import Chaos, read_chaos
from .errors import OfflineOnly
from .offline_stripe import OfflineStripe
from .server import Server


def _chaos(_context: click.Context, _parameter: click.Parameter, value: str) -> Chaos:
    try:
        return read_chaos(value)
    except OfflineOnly as error:
        raise click.BadParameter(error.message) from error


@click.command("offline-stripe")
@click.option("--port", type=click.IntRange(0, 65535), default=4242, show_default=True, help="0 takes a free one.")
@click.option(
    "--store", type=click.Path(dir_okay=False, path_type=Path), help="SQLite file that keeps everything; without it, memory only."
)
@click.option("--webhook-url", help="Receives every event; http:// on this machine.")
@click.option("--webhook-secret", default="whsec_offline", show_default=True, help="Signs what goes to the webhook URL.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides every id.")
@click.option("--after-retries", type=click.Choice(["unpaid", "canceled", "past_due"]), default="unpaid", show_default=True)
@click.option("--validate", is_flag=True, help="Hold every answer and webhook against Stripe's own specification.")
@click.option(
    "--chaos", default="", callback=_chaos, help="How webhooks suffer: seed=3,reorder,duplicate=0.2,drop=0.1,delay_s=30,batch_s=5,early=0.5"
)
@click.option("--business", default="Offline sandbox", show_default=True, help="The seller's name on pages and invoices.")
def offline_stripe(
    *,
    port: int,
    store: Path | None,
    webhook_url: str | None,
    webhook_secret: str,
    seed: int,
    after_retries: str,
    validate: bool,
    chaos: Chaos,
    business: str,
) -> None:
    """Serve an offline Stripe on 127.0.0.1. Not Stripe, no money: for development and tests."""
    offline = OfflineStripe(
        seed=seed,
        store=store,
        webhook_url=webhook_url,
        webhook_secret=webhook_secret,
        after_retries=after_retries,  # type: ignore[arg-type]  # click's Choice has checked it
        validate=validate,
        chaos=chaos,
        business=business,
    )
    for stop in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell that starts us in the background has it ignored
        signal.signal(stop, signal.default_int_handler)
    server = Server(offline, port=port)
    click.echo(f"Offline Stripe (this is not Stripe) on {server.url}  console: {server.url}/offline")
    try:
        server.run()
    except KeyboardInterrupt:
        click.echo("Stopped.")
    finally:
        offline.close()
