"""The warm way from a host to its studio's database, as every request goes it."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from benchmarks.measure import in_turns
from benchmarks.place import Place
from benchmarks.report import Row

QUERY = text("SELECT 1")


def measure(here: Place, runs: int) -> tuple[list[Row], list[str]]:
    """Host to tenant to session to one statement; against one engine's session, with and without its check of the connection."""
    tenancy, key = here.services.database.tenancy, here.new_studio()
    host = here.services.settings.studio_host(key)
    with tenancy.use(key), tenancy.session() as db:
        url = db.get_bind().engine.url

    def ours() -> None:
        with tenancy.use(tenancy.resolve(host)), tenancy.session() as db, db.begin():
            db.execute(QUERY)

    timings = in_turns(
        {"ours": ours, "checked": _one_engine(create_engine(url, pool_pre_ping=True)), "bare": _one_engine(create_engine(url))},
        runs=runs,
        warm_up=20,
    )
    what = "host to studio to one statement"
    return [
        Row(what=what, ours=timings["ours"], peer="a session on one engine that checks its connection", theirs=timings["checked"], bar=2.2),
        Row(what=what, ours=timings["ours"], peer="a session on one engine that does not", theirs=timings["bare"], bar=2.8),
    ], []


def _one_engine(engine: Engine) -> Callable[[], object]:
    def ask() -> None:
        with Session(engine) as db, db.begin():
            db.execute(QUERY)

    return ask
