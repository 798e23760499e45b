"""Many tenants, few connections, many threads, and traffic of which most goes to few tenants."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import psycopg
from sqlalchemy import Engine, NullPool, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from benchmarks.measure import Amount
from benchmarks.report import Figure
from benchmarks.tenancy_fleet import Fleet, raw
from benchmarks.tenancy_things import QUERY
from roomtone_tenancy import PoolLimits, Tenancy, TenancyError, Tenant

THREADS = 16
MAKERS = 4
EACH = "an engine each"
OPEN = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND starts_with(datname, 'rt_')"

Ask = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class Weather:
    """What one way of connecting made of the storm.

    Attributes:
        errors: requests that failed, or got another tenant's row.
        peak: the most connections to tenants' databases that the server saw at once.
    """

    requests: int
    errors: int
    peak: int
    seconds: float
    samples: int

    @property
    def rate(self) -> Amount:
        """Requests answered rightly, per second."""
        return Amount(each=((self.requests - self.errors) / self.seconds,), unit="requests/s")


def populate(fleet: Fleet, count: int) -> list[str]:
    """So many tenants, each with its key in its row; returns the keys."""
    maker = fleet.tenancy(seed=_mark)
    keys = [f"tenant-{number}" for number in range(count)]
    fleet.make(maker, keys[0])
    with ThreadPoolExecutor(MAKERS) as pool:
        list(pool.map(partial(fleet.make, maker), keys[1:]))
    maker.dispose()
    return keys


def measure(fleet: Fleet, keys: Sequence[str], *, requests: int, budget: int) -> tuple[list[Figure], list[str]]:
    """The same requests by way of a budget, of an engine for each tenant, and of no pool."""
    chosen = random.Random(7).choices(keys, weights=[1 / rank for rank in range(1, len(keys) + 1)], k=requests)
    tenancy = fleet.tenancy(PoolLimits(per_tenant=4, per_server=budget, wait_s=30, engines=len(keys)))
    urls = {key: fleet.url(tenancy, key) for key in keys}
    ours = _storm(fleet, chosen, _by_budget(tenancy))
    tenancy.dispose()
    none = _storm(fleet, chosen, _by_engines({key: create_engine(url, poolclass=NullPool) for key, url in urls.items()}))
    engines = {key: create_engine(url) for key, url in urls.items()}
    each = _storm(fleet, chosen, _by_engines(engines))
    for engine in engines.values():
        engine.dispose()
    what, faster = f"{len(keys):,} tenants, {THREADS} threads", ours.rate.median / none.rate.median
    rows = [
        Figure(what=f"{what}: failed requests", ours=_count(ours.errors), bar=0, unit="", peer=EACH, theirs=_count(each.errors)),
        Figure(
            what=f"{what}: most connections", ours=_count(ours.peak), bar=budget, unit="", peer=EACH, theirs=_count(each.peak)
        ),
        Figure(
            what=f"{what}: requests", ours=ours.rate, peer="no pool", theirs=none.rate, value=faster, bar=1, unit="× no pool's",
            is_least=True,
        ),
    ]  # fmt: skip
    storm = f"{requests:,} requests, Zipf-distributed, each one ORM query on its tenant's row; a budget of {budget} connections"
    peers = f"without a pool: {none.errors} errors, {none.peak} connections; an engine each: {each.rate}, on a server that allows 200"
    return rows, [f"Storm: {storm}, counted at the server {ours.samples:,} times. {peers[0].upper()}{peers[1:]}."]


def _mark(session: Session, tenant: Tenant) -> None:
    session.execute(text("UPDATE thing_0 SET name = :key WHERE id = 1"), {"key": tenant.key})


def _by_budget(tenancy: Tenancy) -> Ask:
    def ask(key: str) -> str:
        with tenancy.use(tenancy.resolve(f"{key}.example")), tenancy.session() as db, db.begin():
            return db.scalars(QUERY).one().name

    return ask


def _by_engines(engines: dict[str, Engine]) -> Ask:
    def ask(key: str) -> str:
        with Session(engines[key]) as db, db.begin():
            return db.scalars(QUERY).one().name

    return ask


def _storm(fleet: Fleet, chosen: Sequence[str], ask: Ask) -> Weather:
    todo, errors = iter(chosen), itertools.count()
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                key = next(todo, None)
            if key is None:
                return
            try:
                is_right = ask(key) == key
            except (SQLAlchemyError, TenancyError):
                is_right = False
            if not is_right:
                next(errors)

    with _counting(fleet) as counts:
        began = time.perf_counter()
        threads = [threading.Thread(target=work) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - began
    return Weather(requests=len(chosen), errors=next(errors), peak=max(counts), seconds=seconds, samples=len(counts))


@contextmanager
def _counting(fleet: Fleet) -> Iterator[list[int]]:
    """Count, as often as the server answers, how many connections tenants' databases have."""
    counts: list[int] = []
    is_over = threading.Event()
    connection = raw(make_url(fleet.server_url))
    connection.autocommit = True

    def count() -> None:
        while True:
            counts.append(_one(connection))
            if is_over.wait(0.002):
                return

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield counts
    finally:
        is_over.set()
        thread.join()
        connection.close()


def _one(connection: psycopg.Connection[tuple[object, ...]]) -> int:
    row = connection.execute(OPEN).fetchone()
    return int(str(row[0])) if row else 0


def _count(number: int) -> Amount:
    return Amount(each=(number,), unit="")
