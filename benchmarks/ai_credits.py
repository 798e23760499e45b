"""The credit ledger: a debit with all it means against one statement of pgbench, hot accounts, asyncio, SQLite, and a long history."""

from __future__ import annotations

import asyncio
import itertools
import re
import shutil
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, text

from benchmarks.measure import Timing
from benchmarks.report import Result, Row, now
from roomtone_ai_credits import AiCredits, AsyncAiCredits, ModelRate, RateCard, Usage, schema
from studio.embedded import Binaries, EmbeddedPostgres, find_binaries

CARD = RateCard(version="bench", models=(ModelRate(pattern="unit", input_nano=1_000),))
ONE = Usage(input_tokens=1)
FUND = 10**12
PGBENCH = """
WITH paid AS (UPDATE bench_account SET balance = balance - 1 WHERE id = 1 AND balance >= 1 RETURNING balance)
INSERT INTO bench_entry (account_id, amount, balance_after) SELECT 1, -1, balance FROM paid;
"""
NOTES = (
    "Milliseconds for one operation, as throughput gives it: below 1 the ratio means more operations a second than the peer.",
    "One embedded PostgreSQL that syncs every commit, client and server on the same machine. Every account is verified afterwards.",
    "The rivals hf-nostro and credit-ledger, four processes, and a history of a million entries are not measured yet.",
)


def run(is_quick: bool) -> Result:
    """Measure all of it, in rounds. Raises AssertionError with FAIL when a single credit is lost or spent twice."""
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
        bench = _Bench(server.url, folder, pgbench=_beside(binaries), seconds=seconds)
        rows = _rows(bench, _Account(engine), _Account(sqlite), rounds)
    finally:
        engine.dispose()
        sqlite.dispose()
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return Result(name="ai_credits", is_quick=is_quick, rows=rows, notes=NOTES, at=now(), server=f"PostgreSQL {version}, fsync on")


def _rows(bench: _Bench, hot: _Account, file: _Account, rounds: int) -> list[Row]:
    seconds = bench.seconds
    ways: dict[str, Callable[[], int | float]] = {
        "pgbench 1": lambda: bench.statements(1),
        "pgbench 16": lambda: bench.statements(16),
        "debit 1": lambda: hot.crowd(1, seconds, hot.debit),
        "debit 8": lambda: hot.crowd(8, seconds, hot.debit),
        "debit 16": lambda: hot.crowd(16, seconds, hot.debit),
        "debit 64": lambda: hot.crowd(64, seconds, hot.debit),
        "tasks": lambda: hot.tasks(64, seconds, is_pair=False),
        "pairs": lambda: hot.tasks(64, seconds, is_pair=True),
        "sqlite 16": lambda: file.crowd(16, seconds, file.debit),
    }
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

    return [
        row("one debit, one caller", "debit 1", "pgbench's one statement, 1 client", timing["pgbench 1"], 4.5),
        row("one debit, hot account, 16 threads", "debit 16", "pgbench's one statement, 16 clients", timing["pgbench 16"], 0.45),
        row("one debit, hot account, 64 tasks", "tasks", "12,000 a second", _constant(12_000, rounds), 1),
        row("hold and settle, hot account, 64 tasks", "pairs", "5,500 a second", _constant(5_500, rounds), 1),
        row("one debit, 64 callers", "debit 64", "8 callers", timing["debit 8"], 1.1),
        row("one debit, SQLite, synchronous=FULL, 16 threads", "sqlite 16", "5,000 a second", _constant(5_000, rounds), 1),
    ]


class _Account:
    """One funded account and how many debits of it were acknowledged."""

    def __init__(self, engine: Engine) -> None:
        schema.upgrade(engine)
        self.credits, self.name = AiCredits(engine, rate_card=CARD), uuid.uuid4().hex
        self.credits.grant(None, self.name, amount=FUND, key="fund")
        self._numbers, self._done, self._lock = itertools.count(), 0, threading.Lock()

    def debit(self) -> None:
        self.credits.charge(self.name, model="unit", usage=ONE, key=f"debit {next(self._numbers)}")

    def crowd(self, threads: int, seconds: int, act: Callable[[], None]) -> float:
        """Operations a second of some threads."""
        counts, ends = [0] * threads, time.perf_counter() + seconds

        def work(number: int) -> None:
            while time.perf_counter() < ends:
                act()
                counts[number] += 1

        workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        began = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self._done += sum(counts)
        return sum(counts) / (time.perf_counter() - began)

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
                self._done += done
                return done / (time.perf_counter() - began)

        return asyncio.run(main())

    def prove(self) -> None:
        """Fail unless every acknowledged debit was taken once, and the books balance."""
        taken = FUND - self.credits.balance(self.name).available
        assert taken == self._done, f"FAIL: {self._done} debits were acknowledged, {taken} were taken"
        self.credits.verify(self.name)


class _Bench:
    """PostgreSQL's own pgbench with the simplest debit there is: one row, one line of history, no key, no lots."""

    def __init__(self, url: str, folder: Path, *, pgbench: str, seconds: int) -> None:
        self.seconds, self._pgbench, self._url = seconds, pgbench, url.replace("+psycopg", "")
        self._script = folder / "debit.sql"
        self._script.write_text(PGBENCH.strip())

    def statements(self, clients: int) -> float:
        """Debits a second of some clients."""
        command = [self._pgbench, "-n", "-M", "prepared", "-c", str(clients), "-j", "2" if clients > 1 else "1", "-T", str(self.seconds)]
        printed = subprocess.run([*command, "-f", str(self._script), self._url], check=True, capture_output=True, text=True).stdout
        found = re.search(r"tps = ([\d.]+)", printed)
        assert found is not None, printed
        return float(found[1])


def _sqlite(folder: Path) -> Engine:
    engine = create_engine(f"sqlite:///{folder}/credits.db", connect_args={"timeout": 60}, pool_size=64)

    @event.listens_for(engine, "connect")
    def durable(driver: object, _record: object) -> None:
        driver.execute("PRAGMA journal_mode = WAL")  # type: ignore[attr-defined]  # sqlite3's connection
        driver.execute("PRAGMA synchronous = FULL")  # type: ignore[attr-defined]

    return engine


def _beside(binaries: Binaries) -> str:
    """The pgbench that came with the server, else the one on the path."""
    own = binaries.folder / "pgbench"
    found = str(own) if own.exists() else shutil.which("pgbench")
    assert found is not None, "pgbench is neither beside the server's programs nor on the path; install PostgreSQL's contrib programs"
    return found


def _constant(a_second: int, rounds: int) -> Timing:
    return Timing.of([1 / a_second] * rounds)
