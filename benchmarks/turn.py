"""A turn of the assistant with the offline model, which takes no time to think: what is left is what we add."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg

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
    # A hold and its settlement: each locks and reads, writes, and commits.
    bare, commits, statements = _bare(here), 2, 4
    ledger = in_turns(
        {"ours": meter, "limit": lambda: bare(commits, commits), "peer": lambda: bare(commits, statements)}, runs=ledger_runs, warm_up=5
    )
    rows = [
        Row(what="metered turn, kept and charged", ours=turns["ours"], peer="the model's run alone", theirs=turns["limit"], bar=5),
        Row(what="hold and settle", ours=ledger["ours"], peer=f"{commits} bare commits of one row", theirs=ledger["limit"], bar=13),
        Row(
            what="hold and settle",
            ours=ledger["ours"],
            peer=f"{commits} bare commits, {statements} statements in all",
            theirs=ledger["peer"],
            bar=6,
        ),
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


def _bare(here: Place) -> Callable[[int, int], None]:
    """Sends this many one-row statements, half of them writes, in this many committed transactions, on the driver's own connection."""
    connection = psycopg.connect(driver_url(here.services.database.engine))
    connection.execute("CREATE TABLE bench_row (id bigint PRIMARY KEY, note text)")
    connection.execute("INSERT INTO bench_row SELECT number, repeat('x', 200) FROM generate_series(1, 100) number")
    connection.commit()

    def send(commits: int, statements: int) -> None:
        for number in range(1, statements + 1):
            if number % 2:
                connection.execute("UPDATE bench_row SET note = note WHERE id = %s", [number])
            else:
                connection.execute("SELECT id, note FROM bench_row WHERE id = %s", [number]).fetchall()
            if number % -(-statements // commits) == 0:
                connection.commit()
        connection.commit()

    return send
