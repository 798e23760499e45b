"""A warm tenant: the way to its database, a whole request, a look-up in the catalog; and a cold one's first query."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session
from werkzeug.test import EnvironBuilder, run_wsgi_app

from benchmarks.measure import Amount, Timing, in_turns
from benchmarks.report import Figure, Row
from benchmarks.tenancy_fleet import Fleet, raw
from benchmarks.tenancy_served import HOST, served, with_tenancy, without
from benchmarks.tenancy_things import QUERY
from roomtone_tenancy import PoolLimits, Tenancy

REQUESTS_A_ROUND = 20
HITS_A_ROUND = 2_000


def warm(fleet: Fleet, runs: int) -> tuple[list[Figure], list[str]]:
    """Host to tenant to session to one ORM query; against a session on one engine. Then the same within a Flask app."""
    tenancy = fleet.tenancy()
    fleet.make(tenancy, "warm")
    engine = create_engine(fleet.url(tenancy, "warm"))

    def ours() -> None:
        with tenancy.use(tenancy.resolve(HOST)), tenancy.session() as db, db.begin():
            assert db.scalars(QUERY).one().name == "one"

    route = in_turns({"ours": ours, "bare": _bare(engine)}, runs=runs, warm_up=20)
    apps = {"with": _visit(with_tenancy(tenancy)), "without": _visit(without(engine))}
    calls = in_turns(apps, runs=max(runs // 10, 5), times=REQUESTS_A_ROUND)
    with served(fleet, engine.url.render_as_string(hide_password=False)) as visits:
        requests = in_turns(visits, runs=max(runs // 10, 5), times=REQUESTS_A_ROUND)
    hits = _hits(tenancy, runs)
    engine.dispose()
    share, called = (1 / each["with"].ratio_to(each["without"]) for each in (requests, calls))
    rows = [
        Figure(
            what="host to tenant to one ORM query, warm", ours=route["ours"], peer="a session on one engine", theirs=route["bare"],
            value=route["ours"].added_to(route["bare"]) * 1000, bar=100, unit="µs added",
        ),
        Figure(
            what="the same in a minimal Flask app", ours=_rate(requests["with"]), peer="the app without tenants",
            theirs=_rate(requests["without"]), value=share, bar=0.9, unit="× its requests/s", is_least=True,
        ),
        Figure(
            what="look-up of a known host in the catalog", ours=hits["ours"], peer="look-up in a dict", theirs=hits["dict"],
            value=hits["ours"].median * 1000, bar=5, unit="µs",
        ),
    ]  # fmt: skip
    return rows, [
        f"The Flask apps are served by gunicorn, a process each, over one kept connection, {REQUESTS_A_ROUND} requests a round. "
        f"Called through WSGI without any server: {called:.2f} × the requests/s."
    ]


def cold(fleet: Fleet, runs: int) -> tuple[list[Row], list[str]]:
    """The first query on a tenant that this process knows nothing of; against the driver's own connect and query."""
    warm_up = 2
    keys = [f"cold-{number}" for number in range(warm_up + runs)]
    maker = fleet.tenancy()
    for key in keys:
        fleet.make(maker, key)
    urls = [fleet.url(maker, key) for key in keys]
    for url in urls:
        raw(url).close()  # a database's very first connection also writes a cache file, whoever makes it
    tenancy = fleet.tenancy(PoolLimits(per_server=runs + warm_up))
    hosts, places = iter(keys), iter(urls)

    def ours() -> None:
        with tenancy.use(tenancy.resolve(f"{next(hosts)}.example")), tenancy.session() as db, db.begin():
            assert db.scalars(QUERY).one().name == "one"

    def bare() -> Callable[[], object]:
        connection = raw(next(places))
        assert connection.execute("SELECT id, name FROM thing_0 WHERE id = %s", [1]).fetchone() == (1, "one")
        return connection.close

    timings = in_turns({"ours": ours, "bare": bare}, runs=runs, warm_up=warm_up)
    tenancy.dispose()
    what = "cold tenant, first ORM query"
    return [Row(what=what, ours=timings["ours"], peer="the driver's connect and query", theirs=timings["bare"], bar=1.3)], []


def _bare(engine: Engine) -> Callable[[], None]:
    def ask() -> None:
        with Session(engine) as db, db.begin():
            assert db.scalars(QUERY).one().name == "one"

    return ask


def _visit(app: Flask) -> Callable[[], None]:
    def visit() -> None:
        environ = EnvironBuilder(path="/", base_url=f"http://{HOST}").get_environ()
        body, status, _headers = run_wsgi_app(app, environ, buffered=True)
        assert (b"".join(body), status) == (b"one", "200 OK")

    return visit


def _hits(tenancy: Tenancy, runs: int) -> dict[str, Timing]:
    known = {HOST: tenancy.resolve(HOST)}
    ways = {"ours": lambda: tenancy.resolve(HOST), "dict": lambda: known[HOST]}
    return in_turns(ways, runs=max(runs // 20, 5), times=HITS_A_ROUND)


def _rate(timing: Timing) -> Amount:
    return Amount(each=tuple(1000 / milliseconds for milliseconds in timing.each), unit="requests/s")
