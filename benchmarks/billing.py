"""Billing: webhooks taken in, a burst, a reconciliation and the question what an account may do; beside two libraries of PyPI."""

from __future__ import annotations

import functools
import json
import logging
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import Engine, create_engine, event, insert
from sqlalchemy import inspect as mapper_of
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from benchmarks.measure import Amount, Timing, listening
from benchmarks.report import Figure, Result, now
from roomtone_billing import Billing, Catalogue, Interval, Plan, Price, schema
from roomtone_billing.flask import blueprint
from roomtone_billing.models import AccountRow
from roomtone_billing.offline import OfflineStripe
from roomtone_billing.signature import sign
from roomtone_billing.stripe import StripeGateway
from studio.embedded import EmbeddedPostgres, find_binaries

SECRET = "whsec_bench"
PEERS = {
    "flask-headless-payments": ("billing_flask_peer.py", ("flask-headless-payments==0.2.31", "stripe<15")),
    "dj-stripe": ("billing_django_peer.py", ("dj-stripe==2.11.0",)),
}
NOTES = (
    "Webhooks go through each library's own endpoint with its framework's test client, one process, one thread. Ours are stored and "
    "acknowledged; a worker does the rest. Theirs are worked off in the request, as these libraries do it: dj-stripe asks the same offline "
    "Stripe, over a socket. flask-headless-payments is given a release of the SDK before 15, with which it works.",
    "SQLite with a write-ahead log and synchronous=FULL; PostgreSQL syncs every commit.",
    "A rival that cannot be had (no network, no uv) leaves its column empty, and its bar is not met.",
)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How much is done."""

    webhooks: int
    peers: int
    subscriptions: int
    reads: int


FULL = Counts(webhooks=4000, peers=200, subscriptions=10_000, reads=5000)
QUICK = Counts(webhooks=400, peers=20, subscriptions=1000, reads=500)


class Shop:
    """An account with a subscription at an offline Stripe, and that Stripe's last event about it."""

    def __init__(self, engine: Engine) -> None:
        schema.upgrade(engine)
        self.engine = engine
        self.offline = OfflineStripe(webhook_url="http://127.0.0.1:9/hook", post=lambda *_: 200, clock=lambda: datetime.now(UTC))
        self.api = self.offline.client().v1
        self.gateway = StripeGateway("sk_test_offline", webhook_secrets=[SECRET], http_client=self.offline.http_client())
        plans = (Plan("pro", "Pro", (Price(Interval.month, 5900),), trial_days=14, limits={"seats": 5}),)
        self.billing = Billing(engine, catalogue=Catalogue(plans=plans), gateway=self.gateway)
        self.billing.publish()
        with Session(engine) as session, session.begin():
            self.billing.open_account(session, "a", email="a@example.org", name="A")
        self.billing.account("a").checkout(plan="pro", interval=Interval.month, success_url="http://s", cancel_url="http://c")
        self.customer = self.api.customers.list().data[0].id
        card = self.api.payment_methods.attach("pm_card_visa", {"customer": self.customer}).id
        price = self.api.prices.list({"lookup_keys": ["pro_month"]}).data[0].id
        asked: Any = {"customer": self.customer, "items": [{"price": price}], "default_payment_method": card}
        self.subscription = self.api.subscriptions.create(asked).id
        self.api.subscriptions.update(self.subscription, {"metadata": {"note": "1"}})
        kind = "customer.subscription.updated"
        self.event = next(each for each in reversed(self.offline.world.store.all("event")) if each["type"] == kind)
        self.billing.account("a").sync()

    def events(self, count: int, mark: str) -> list[bytes]:
        """So many events about it, each with an id of its own."""
        return [json.dumps({**self.event, "id": f"evt_{mark}{number}"}).encode() for number in range(count)]

    def take_in(self, count: int, mark: str) -> list[float]:
        """How long each webhook took, in seconds."""
        app = Flask("bench")
        app.register_blueprint(blueprint(self.billing))
        client, seconds = app.test_client(), []
        for payload in self.events(count, mark):
            header = sign(payload, secret=SECRET, at=datetime.now(UTC))
            began = time.perf_counter()
            answer = client.post("/stripe/webhook", data=payload, headers={"Stripe-Signature": header})
            seconds.append(time.perf_counter() - began)
            assert answer.status_code == 200
        return seconds


def run(is_quick: bool) -> Result:
    """Measure all of it."""
    counts = QUICK if is_quick else FULL
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="roomtone-bench-")))
        postgres = EmbeddedPostgres(data=folder / "postgres", binaries=find_binaries(), durable=True)
        postgres.start()
        closing.callback(postgres.stop)
        server_engine, file_engine = create_engine(postgres.url), create_engine(f"sqlite:///{folder}/billing.db")
        event.listen(file_engine, "connect", lambda connection, _: connection.execute("PRAGMA journal_mode=WAL"))
        for engine in (server_engine, file_engine):
            closing.callback(engine.dispose)
        with server_engine.connect() as connection:
            version = connection.exec_driver_sql("SHOW server_version").scalar()
        file, server = Shop(file_engine), Shop(server_engine)
        rows = [*_ingest(file, server, counts, folder), _burst(file), _reconcile(file, counts), *_reads(server, counts)]
    return Result(name="billing", is_quick=is_quick, rows=rows, notes=NOTES, at=now(), server=f"PostgreSQL {version}, fsync on")


def _ingest(file: Shop, server: Shop, counts: Counts, folder: Path) -> list[Figure]:
    for shop in (file, server):
        shop.take_in(50, "warm")
    ours, theirs = file.take_in(counts.webhooks, "b"), server.take_in(counts.webhooks, "b")
    figures = [
        _per_second("webhooks taken in, SQLite", ours, 1000),
        _per_second("webhooks taken in, PostgreSQL", theirs, 400),
        _slowest("webhook taken in, 99 of 100, SQLite", ours),
        _slowest("webhook taken in, 99 of 100, PostgreSQL", theirs),
    ]
    with _listening_stripe(file) as address:
        for name, bar in (("flask-headless-payments", 8), ("dj-stripe", 30)):
            peer = _peer(name, file.events(counts.peers + 5, name.replace("-", "")), folder, address, counts.peers)
            ratio = sum(peer) / len(peer) / (sum(ours) / len(ours)) if peer else 0.0
            figures.append(
                Figure(
                    what=f"webhooks taken in against {name}",
                    ours=Timing.of(ours),
                    peer=name if peer else f"{name}: not to be had",
                    theirs=Timing.of(peer) if peer else None,
                    value=ratio,
                    bar=bar,
                    unit="times as many",
                    is_least=True,
                )
            )
    return figures


def _per_second(what: str, seconds: list[float], bar: float) -> Figure:
    return Figure(what=what, ours=Timing.of(seconds), value=len(seconds) / sum(seconds), bar=bar, unit="/s", is_least=True)


def _slowest(what: str, seconds: list[float]) -> Figure:
    return Figure(what=what, ours=Timing.of(seconds), value=statistics.quantiles(seconds, n=100)[98] * 1000, bar=10, unit="ms")


def _burst(shop: Shop) -> Figure:
    """Eight events about one customer."""
    fetches, honest = [], shop.gateway.fetch

    def fetch(customer: str) -> Any:  # Any: as the gateway's own
        fetches.append(customer)
        return honest(customer)

    while shop.billing.work(1000):
        pass
    shop.gateway.fetch = fetch  # type: ignore[method-assign]
    shop.take_in(8, "burst")
    while shop.billing.work():
        pass
    shop.gateway.fetch = honest  # type: ignore[method-assign]
    return Figure(what="fetches for a burst of 8 events", ours=Amount(each=(len(fetches),), unit="fetch"), bar=1, unit="fetch")


def _reconcile(shop: Shop, counts: Counts) -> Figure:
    """So many accounts with a subscription each, one of which is not as it is stored."""
    store = shop.offline.world.store
    subscription = store.get("subscription", shop.subscription)
    theirs = {
        "customer": store.get("customer", shop.customer),
        "invoice": store.get("invoice", subscription["latest_invoice"]),
        "invoice_payment": next(iter(store.where("invoice_payment", invoice=subscription["latest_invoice"]))),
        "subscription": subscription,
    }
    link = {"payment_of_invoice": {"id": theirs["invoice"]["id"], "payment": theirs["invoice_payment"]["id"]}}
    with Session(shop.engine) as session, session.begin(), store.transaction():
        ours = session.get_one(AccountRow, "a")
        row = {column.key: getattr(ours, column.key) for column in mapper_of(AccountRow).columns}
        others = []
        for number in range(counts.subscriptions - 1):
            ids = {thing["id"]: f"{kind}_{number}" for kind, thing in theirs.items()}
            for kind, thing in (theirs | link).items():
                store.add(kind, _under(ids, thing))
            others.append({**row, "account": f"b{number}", "customer": f"customer_{number}", "snapshot": _under(ids, ours.snapshot)})
        session.execute(insert(AccountRow), others)
    shop.api.subscriptions.update(shop.subscription, {"cancel_at_period_end": True})
    done = shop.billing.upkeep.reconcile(calls_per_s=10**6)
    assert (done.listed, done.foreign, len(done.drifts)) == (counts.subscriptions, 0, 1)
    what = f"calls to reconcile {counts.subscriptions:,} subscriptions"
    return Figure(what=what, ours=Amount(each=(done.calls,), unit="calls"), bar=counts.subscriptions * 0.015, unit="calls")


def _under(ids: Mapping[str, str], thing: Any) -> Any:  # Any: JSON
    """The same thing under other ids."""
    return json.loads(functools.reduce(lambda text, names: text.replace(*names), ids.items(), json.dumps(thing)))


def _reads(shop: Shop, counts: Counts) -> list[Figure]:
    """What an account may do: remembered, and asked of the database."""
    statements: list[str] = []
    account = shop.billing.account("a")

    def ask() -> object:
        return account.check("seats")

    ask()
    seconds = []
    for _ in range(counts.reads):
        began = time.perf_counter()
        ask()
        seconds.append(time.perf_counter() - began)
    cold = Billing(shop.engine, catalogue=shop.billing.catalogue, gateway=shop.gateway).account("a")
    with listening(shop.engine, {"before_cursor_execute": lambda *call: statements.append(call[2])}):
        cold.check("seats")
    return [
        Figure(what="entitlement, remembered", ours=Timing.of(seconds), value=statistics.median(seconds) * 1e6, bar=50, unit="µs"),
        Figure(what="entitlement, cold", ours=Amount(each=(len(statements),), unit="queries"), bar=1, unit="query"),
    ]


@contextmanager
def _listening_stripe(shop: Shop) -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, shop.offline.wsgi_app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _peer(name: str, events: list[bytes], folder: Path, address: str, count: int) -> list[float]:
    """How long the rival took for each webhook, in seconds; empty where it cannot be had."""
    uv, (program, packages) = shutil.which("uv"), PEERS[name]
    if uv is None:
        return []
    listed = folder / f"{name}.events"
    listed.write_bytes(b"\n".join(events))
    parts = [part for package in packages for part in ("--with", package)]
    command = [uv, "run", "--quiet", "--isolated", "--no-project", "--python", sys.executable, *parts, "python"]
    asked = [*command, str(Path(__file__).parent / program), str(listed), str(folder / f"{name}.db"), address]
    process = subprocess.Popen(asked, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if not process.stdout.readline().startswith("ready"):
            return []
        for size in (5, count):  # the first few warm it up
            print(size, file=process.stdin, flush=True)
            said = json.loads(process.stdout.readline())
        return list(said["seconds"]) if said["statuses"] == [200] else []
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()
