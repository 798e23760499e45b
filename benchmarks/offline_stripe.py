"""The offline Stripe: calls in this process, a year of renewals, and the start of its server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime

import stripe

from benchmarks.measure import Amount, Timing
from benchmarks.report import Figure, Result, now
from roomtone_billing.offline import OfflineStripe

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
FULL = {"rounds": 7, "calls": 400, "subscriptions": 1000, "starts": 3}
QUICK = {"rounds": 3, "calls": 100, "subscriptions": 100, "starts": 2}
YEAR_S = 365 * 86400
PORT = 42429
NOTES = (
    "Calls are customers made and read in turns by the SDK's StripeClient, in this process; the SDK's own work is in them.",
    "The year is one `advance` over subscriptions that renew monthly, with all invoices, charges and events; no webhook endpoint listens.",
)


def run(is_quick: bool) -> Result:
    """Measure all three."""
    runs = QUICK if is_quick else FULL
    rows = [_calls(runs["rounds"], runs["calls"]), _year(runs["subscriptions"]), _start(runs["starts"])]
    return Result(name="offline_stripe", is_quick=is_quick, rows=rows, notes=NOTES, at=now(), server=f"in memory, process {os.getpid()}")


def _calls(rounds: int, calls: int) -> Figure:
    client = OfflineStripe(clock=lambda: START).client()
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        for number in range(calls // 2):
            made = client.v1.customers.create({"email": f"{number}@example.com"})
            client.v1.customers.retrieve(made.id)
        seconds.append(time.perf_counter() - began)
    timing = Timing.of(seconds, times=calls)
    return Figure(what="a call in this process", ours=timing, value=1000 / timing.median, bar=800, unit="calls/s", is_least=True)


def _year(count: int) -> Figure:
    offline = OfflineStripe(clock=lambda: START)
    client = offline.client()
    price = client.v1.prices.create(
        {"currency": "eur", "unit_amount": 2900, "recurring": {"interval": "month"}, "product_data": {"name": "Solo"}}
    )
    for _ in range(count):
        _subscribe(client, price.id)
    began = time.perf_counter()
    offline.advance(YEAR_S)
    taken = time.perf_counter() - began
    return Figure(what=f"a year of {count} monthly subscriptions", ours=Amount(each=(taken,), unit="s"), value=taken, bar=60, unit="s")


def _subscribe(client: stripe.StripeClient, price: str) -> None:
    customer = client.v1.customers.create({"payment_method": "pm_card_visa"})
    method = client.v1.customers.payment_methods.list(customer.id).data[0].id
    client.v1.subscriptions.create({"customer": customer.id, "items": [{"price": price}], "default_payment_method": method})


def _start(starts: int) -> Figure:
    seconds = []
    for _ in range(starts):
        began = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", "roomtone_billing", "offline-stripe", "--port", str(PORT)], stdout=subprocess.DEVNULL
        ) as server:
            _wait_until_it_answers()
            seconds.append(time.perf_counter() - began)
            server.terminate()
    timing = Timing.of(seconds)
    return Figure(what="start of the server until it answers", ours=timing, value=timing.median / 1000, bar=1, unit="s")


def _wait_until_it_answers() -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/offline/state", timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise TimeoutError("the server did not answer within 20 s")
