"""What a process keeps for a tenant that it knows, without connections. Each way is weighed in a process of its own."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import Session, aliased

from benchmarks.measure import Amount
from benchmarks.report import Figure
from benchmarks.tenancy_fleet import Fleet
from benchmarks.tenancy_things import QUERY, Thing
from roomtone_tenancy import PoolLimits

ROOT = Path(__file__).parents[1]
STATEMENTS = [
    select(each).where(each.id == 1).order_by(each.name) for each in (aliased(Thing, name=f"thing_{number}") for number in range(120))
]
WARM_UP = 5


def measure(fleet: Fleet, keys: Sequence[str], *, times: int, own_engines: int) -> tuple[list[Figure], list[str]]:
    """Tenants known and idle; tenants that worked and are idle; and those with an engine of their own."""
    known = [_weigh("known", fleet, keys) for _ in range(times)]
    worked = [_weigh("worked", fleet, keys) for _ in range(times)]
    own = [_weigh("own", fleet, keys[: own_engines + WARM_UP]) for _ in range(times)]
    peer, theirs = "an engine each, after the statements", Amount(each=tuple(own), unit="KiB")
    rows = [
        Figure(what="known idle tenant", ours=Amount(each=tuple(known), unit="KiB"), bar=10, unit="KiB", peer=peer, theirs=theirs),
        Figure(
            what=f"the same after {len(STATEMENTS)} ORM statements", ours=Amount(each=tuple(worked), unit="KiB"), bar=16, unit="KiB",
            peer=peer, theirs=theirs,
        ),
    ]  # fmt: skip
    counts = f"{len(keys) - WARM_UP} tenants, or {own_engines} with an engine of their own"
    return rows, [f"Memory is the growth of a process (RSS) by {counts}, divided by their number."]


def _weigh(way: str, fleet: Fleet, keys: Sequence[str]) -> float:
    """KiB a tenant."""
    command = [sys.executable, "-m", "benchmarks.tenancy_memory", way, *keys]
    return float(subprocess.run(command, cwd=ROOT, input=fleet.to_text(), stdout=subprocess.PIPE, text=True, check=True).stdout)


def _ours(fleet: Fleet, *, does_work: bool) -> Callable[[str], None]:
    tenancy = fleet.tenancy(PoolLimits(per_server=2, engines=10_000))

    def meet(key: str) -> None:
        with tenancy.use(tenancy.resolve(f"{key}.example")), tenancy.session() as db:
            db.get_bind()
            if does_work:
                _work(db)

    return meet


def _own(fleet: Fleet) -> Callable[[str], None]:
    tenancy = fleet.tenancy()
    engines: list[Engine] = []

    def meet(key: str) -> None:
        engine = create_engine(fleet.url(tenancy, key))
        with Session(engine) as db:
            _work(db)
        engine.dispose()
        engines.append(engine)

    return meet


def _work(db: Session) -> None:
    assert db.scalars(QUERY).one()
    for statement in STATEMENTS:
        db.scalars(statement).all()


def main() -> None:
    """Say how many KiB each tenant costs, but for the first ones, which also load what all of them share."""
    way, *keys = sys.argv[1:]
    fleet = Fleet.of(sys.stdin.read())
    meet = _own(fleet) if way == "own" else _ours(fleet, does_work=way == "worked")
    for key in keys[:WARM_UP]:
        meet(key)
    before = _size()
    for key in keys[WARM_UP:]:
        meet(key)
    print((_size() - before) / 1024 / (len(keys) - WARM_UP))


def _size() -> int:
    gc.collect()
    return psutil.Process().memory_info().rss


if __name__ == "__main__":
    main()
