"""A turn of the assistant with the offline model, which takes no time to think: what is left is what we add."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
from sqlalchemy import Connection, event

from benchmarks.measure import in_turns
from benchmarks.place import Place
from benchmarks.report import Row
from roomtone_ai_credits import Usage
from studio.assistant import model, service
from studio.assistant.offline import offline_model
from studio.assistant.rates import INCLUDED, OFFLINE_MODEL, estimate
from studio.assistant.tools import Desk
from studio.platform.queue import driver_url

QUESTION = "What is booked tomorrow?"
ONE = Usage(requests=1)


def measure(here: Place, runs: int, ledger_runs: int) -> tuple[list[Row], list[str]]:
    """A whole turn against the model's run in it, and the ledger's part against bare commits."""
    key = here.furnished()
    tenancy = here.services.database.tenancy
    with here.app.studio.test_request_context(), tenancy.use(key):
        turns = in_turns({"ours": _turn(here, key), "limit": _run_alone(here)}, runs=runs, warm_up=2)
    meter = _hold_and_settle(here, key)
    meter()
    commits = _commits(here, meter)
    ledger = in_turns({"ours": meter, "limit": _bare_commits(here, commits)}, runs=ledger_runs, warm_up=5)
    rows = [
        Row(what="metered turn, kept and charged", ours=turns["ours"], peer="the model's run alone", theirs=turns["limit"], bar=4.0),
        Row(what="hold and settle", ours=ledger["ours"], peer=f"{commits} bare commits of one row", theirs=ledger["limit"], bar=4.0),
    ]
    added = turns["ours"].median - turns["limit"].median
    part = ledger["ours"].median
    return rows, [f"Metering and keeping a turn adds {added:.0f} ms, whatever the model; of that, hold and settle take {part:.1f} ms."]


def _turn(here: Place, key: str) -> Callable[[], object]:
    office = service.Office(
        account=key, studio="Bench Studio", timezone="Europe/Paris", credits=here.services.credits, open_db=here.services.database.studio,
        model_name=OFFLINE_MODEL, make_model=offline_model, clock=lambda: datetime.now(UTC),
    )  # fmt: skip
    asker = service.Asker(user_id=str(uuid.uuid4()), locale="en")

    def turn() -> None:
        found = service.ask(office, asker, key=str(uuid.uuid4()), question=QUESTION)
        assert found.charged_micro == 1_000_000, found

    return turn


def _run_alone(here: Place) -> Callable[[], object]:
    def run() -> None:
        desk = Desk(
            open_db=here.services.database.studio, now=datetime.now(UTC), studio="Bench Studio", timezone="Europe/Paris", locale="en"
        )
        assert "Band" in model.run(offline_model(), desk, question=QUESTION, history=(), budget=INCLUDED).text

    return run


def _hold_and_settle(here: Place, key: str) -> Callable[[], object]:
    numbers = itertools.count()

    def meter() -> None:
        hold = here.services.credits.hold(key, model=OFFLINE_MODEL, estimate=estimate(INCLUDED), key=f"bench:{next(numbers)}")
        here.services.credits.settle(hold.id, ONE)

    return meter


def _commits(here: Place, work: Callable[[], object]) -> int:
    """How many transactions the work commits."""
    seen: list[object] = []
    engine = here.services.database.engine

    def count(connection: Connection) -> None:
        seen.append(connection)

    event.listen(engine, "commit", count)
    work()
    event.remove(engine, "commit", count)
    return len(seen)


def _bare_commits(here: Place, count: int) -> Callable[[], object]:
    connection = psycopg.connect(driver_url(here.services.database.engine))
    connection.execute(
        "CREATE TABLE bench_commit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz DEFAULT now(), note text)"
    )
    connection.commit()

    def commit() -> None:
        for _number in range(count):
            connection.execute("INSERT INTO bench_commit (note) VALUES (%s)", ["a row of the ledger's size, more or less"])
            connection.commit()

    return commit
