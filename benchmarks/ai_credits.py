"""The credit ledger: a debit with all it means beside one statement of pgbench and two rivals; crowds, processes, a long history."""

from __future__ import annotations

import asyncio
import functools
import itertools
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, text

from benchmarks.ai_credits_crowd import CARD, ONE, crowd, debits
from benchmarks.ai_credits_peers import NAMES, Pgbench, Rivals, pgbench_of, rivals_on
from benchmarks.measure import Amount, Timing
from benchmarks.report import Figure, Result, Row, now
from roomtone_ai_credits import AiCredits, AsyncAiCredits, schema
from roomtone_ai_credits.errors import LedgerMismatch
from studio.embedded import EmbeddedPostgres, find_binaries

FUND = 10**12
PROCESSES, THREADS = 4, 16
# A history as debits would have made it: the books balance, and `verify` says so.
HISTORY = """
WITH mine AS (SELECT id, seq, balance, matured_at FROM credits_account WHERE account = :account), line AS (
  INSERT INTO credits_entry (account_id, seq, key, kind, at, amount, balance_after, digest, priced_nano)
  SELECT id, seq + n, 'past ' || n, 'charge', matured_at, -1, balance - n, '', 1000 FROM mine, generate_series(1, :count) n
  RETURNING account_id, seq
), sides AS (
  INSERT INTO credits_posting (account_id, seq, side, book, lot, amount)
  SELECT account_id, seq, side, CASE side WHEN 0 THEN 'lot' ELSE 'consumed' END, CASE side WHEN 0 THEN 1 END, side * 2 - 1
  FROM line, (VALUES (0), (1)) s(side)
), lot AS (
  UPDATE credits_lot l SET remaining = remaining - :count FROM mine WHERE l.account_id = mine.id AND number = 1
)
UPDATE credits_account SET seq = seq + :count, balance = balance - :count WHERE account = :account
"""
NOTES = (
    "Milliseconds for one operation, as throughput gives it: below 1 the ratio means more operations a second than the peer.",
    "One embedded PostgreSQL that syncs every commit, client and server on the same machine. Every account is verified afterwards: a run "
    "in which a credit is lost or taken twice says FAIL and prints no table.",
)


def run(is_quick: bool) -> Result:
    """Measure all of it, in rounds. Raises SystemExit with FAIL when a single credit is lost or spent twice, or a caller gets an error."""
    rounds, seconds = (2, 1) if is_quick else (5, 5)
    folder = Path(tempfile.mkdtemp(prefix="roomtone-bench-"))
    binaries = find_binaries()
    server = EmbeddedPostgres(data=folder / "postgres", binaries=binaries, durable=True)
    server.start()
    engine = create_engine(server.url, pool_size=64)
    sqlite = _sqlite(folder)
    try:
        with engine.begin() as connection:
            version = connection.exec_driver_sql("SHOW server_version").scalar()
            connection.execute(text("CREATE TABLE bench_account (id int PRIMARY KEY, balance bigint)"))
            connection.execute(text("INSERT INTO bench_account VALUES (1, 1000000000000)"))
            connection.execute(
                text("CREATE TABLE bench_entry (id bigserial PRIMARY KEY, account_id int, amount bigint, balance_after bigint)")
            )
        bench = Pgbench(server.url, folder, pgbench=pgbench_of(binaries), seconds=seconds)
        with rivals_on(server.url) as rivals:
            rows = _rows(bench, _Account(engine), _Account(sqlite), rivals, rounds)
        rows.append(_history(engine, entries=50_000 if is_quick else 1_000_000, holds=150 if is_quick else 600))
    finally:
        engine.dispose()
        sqlite.dispose()
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    notes = (*NOTES, f"The rivals: {rivals.versions}." if rivals else "The rivals could not be had: `uv` or the network is missing.")
    return Result(name="ai_credits", is_quick=is_quick, rows=rows, notes=notes, at=now(), server=f"PostgreSQL {version}, fsync on")


def _rows(bench: Pgbench, hot: _Account, file: _Account, rivals: Rivals | None, rounds: int) -> list[Row | Figure]:
    seconds, late = bench.seconds, []

    def sixteen() -> float:
        rate, took = hot.crowd(THREADS, seconds)
        late.append(statistics.quantiles(took, n=100)[98] * 1000)
        return rate

    ways: dict[str, Callable[[], float]] = {
        "pgbench 1": lambda: bench.statements(1),
        "pgbench 16": lambda: bench.statements(16),
        "debit 1": lambda: hot.crowd(1, seconds)[0],
        "debit 8": lambda: hot.crowd(8, seconds)[0],
        "debit 16": sixteen,
        "debit 64": lambda: hot.crowd(64, seconds)[0],
        "tasks": lambda: hot.tasks(64, seconds, is_pair=False),
        "pairs": lambda: hot.tasks(64, seconds, is_pair=True),
        "processes": lambda: hot.processes(seconds),
        "sqlite 16": lambda: file.crowd(THREADS, seconds)[0],
    }
    if rivals is not None:
        for rival, callers in itertools.product(NAMES, (1, THREADS)):
            ways[f"{rival} {callers}"] = functools.partial(rivals.debits, rival, callers, seconds)
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            each_s = 1 / max(way(), 1)
            if number:  # the first round warms up
                found[name].append(each_s)
    hot.prove()
    file.prove()
    timing = {name: Timing.of(each) for name, each in found.items()}

    def row(what: str, ours: str, peer: str, theirs: Timing, bar: float) -> Row:
        return Row(what=what, ours=timing[ours], peer=peer, theirs=theirs, bar=bar)

    def beside(what: str, ours: str, callers: int, bar: float) -> list[Row]:
        return [row(what, ours, f"{rival}, {callers}", timing[f"{rival} {callers}"], bar) for rival in (NAMES if rivals else ())]

    one, sixteen_threads = "one debit, one caller", "one debit, hot account, 16 threads"
    return [
        row(one, "debit 1", "pgbench's one statement, 1 client", timing["pgbench 1"], round(1 / 0.22, 2)),
        *beside(one, "debit 1", 1, 1),
        row(sixteen_threads, "debit 16", "pgbench's one statement, 16 clients", timing["pgbench 16"], round(1 / 2.2, 3)),
        *beside(sixteen_threads, "debit 16", THREADS, round(1 / 7, 3)),
        Figure(what="the slowest hundredth of these", ours=Amount(each=tuple(late[1:]), unit="ms"), bar=8, unit="ms"),
        row("one debit, hot account, 64 tasks", "tasks", "12,000 a second", _constant(12_000, rounds), 1),
        row("hold and settle, hot account, 64 tasks", "pairs", "5,500 a second", _constant(5_500, rounds), 1),
        row("one debit, 4 processes of 16 threads", "processes", "4,500 a second", _constant(4_500, rounds), 1),
        row("one debit, SQLite, synchronous=FULL, 16 threads", "sqlite 16", "5,000 a second", _constant(5_000, rounds), 1),
        row("one debit, 64 callers", "debit 64", "8 callers", timing["debit 8"], round(1 / 0.9, 2)),
    ]


def _history(engine: Engine, *, entries: int, holds: int) -> Row:
    """A hold on an account with a long history beside one on an account with a short one, in turns."""
    long, short = _Account(engine), _Account(engine)
    for account, count in ((long, entries), (short, 100)):
        with engine.begin() as connection:
            connection.execute(text(HISTORY), {"account": account.name, "count": count})
        account.done += count
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    took: dict[str, list[float]] = {long.name: [], short.name: []}
    for number in range(holds + 20):
        for account in (long, short):
            began = time.perf_counter()
            hold = account.credits.hold(account.name, model="unit", estimate=ONE, key=f"hold {number}")
            if number >= 20:  # the first warm up
                took[account.name].append(time.perf_counter() - began)
            account.credits.release(hold.id)
    long.prove()
    short.prove()
    ours, theirs = Timing.of(took[long.name]), Timing.of(took[short.name])
    return Row(what=f"one hold, after {entries:,} entries", ours=ours, peer="after 100 entries", theirs=theirs, bar=1.3)


class _Account:
    """One funded account and how many debits of it were acknowledged."""

    def __init__(self, engine: Engine) -> None:
        schema.upgrade(engine)
        self.credits, self.name = AiCredits(engine, rate_card=CARD), uuid.uuid4().hex
        self.credits.grant(None, self.name, amount=FUND, key="fund")
        self.done, self._numbers = 0, itertools.count()
        self._url, self._debit = engine.url.render_as_string(hide_password=False), debits(self.credits, self.name)

    def crowd(self, threads: int, seconds: int) -> tuple[float, list[float]]:
        """Debits a second of some threads, and the seconds that each took."""
        rate, took = crowd(self._debit, threads=threads, seconds=seconds)
        self.done += len(took)
        return rate, took

    def processes(self, seconds: int) -> float:
        """Debits a second of some processes of some threads each."""
        command = [sys.executable, "-m", "benchmarks.ai_credits_crowd", self._url, self.name, str(THREADS), str(seconds)]
        workers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)]
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n", "FAIL: a process did not begin"
        answers = []
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        for worker in workers:
            printed, _ = worker.communicate()
            if worker.returncode:
                raise SystemExit("FAIL: a process got an error")
            answers.append(int(printed))
        self.done += sum(answers)
        return sum(answers) / seconds

    def tasks(self, count: int, seconds: int, *, is_pair: bool) -> float:
        """Operations a second of some asyncio tasks."""

        async def work(credits_: AsyncAiCredits, ends: float) -> int:
            done = 0
            while time.perf_counter() < ends:
                key = f"task {next(self._numbers)}"
                if is_pair:
                    hold = await credits_.hold(self.name, model="unit", estimate=ONE, key=key)
                    await credits_.settle(hold.id, ONE)
                else:
                    await credits_.charge(self.name, model="unit", usage=ONE, key=key)
                done += 1
            return done

        async def main() -> float:
            async with AsyncAiCredits(self.credits) as credits_:
                began = time.perf_counter()
                done = sum(await asyncio.gather(*(work(credits_, began + seconds) for _ in range(count))))
                self.done += done
                return done / (time.perf_counter() - began)

        return asyncio.run(main())

    def prove(self) -> None:
        """Fail unless every acknowledged debit was taken once, and the books balance."""
        taken = FUND - self.credits.balance(self.name).available
        if taken != self.done:
            raise SystemExit(f"FAIL: {self.done} debits were acknowledged, {taken} were taken")
        try:
            self.credits.verify(self.name)
        except LedgerMismatch as mismatch:
            raise SystemExit(f"FAIL: {mismatch}") from mismatch


def _sqlite(folder: Path) -> Engine:
    engine = create_engine(f"sqlite:///{folder}/credits.db", connect_args={"timeout": 60}, pool_size=64)

    @event.listens_for(engine, "connect")
    def durable(driver: object, _record: object) -> None:
        driver.execute("PRAGMA journal_mode = WAL")  # type: ignore[attr-defined]  # sqlite3's connection
        driver.execute("PRAGMA synchronous = FULL")  # type: ignore[attr-defined]

    return engine


def _constant(a_second: int, rounds: int) -> Timing:
    return Timing.of([1 / a_second] * rounds)
