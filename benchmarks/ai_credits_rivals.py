"""hf-nostro and credit-ledger debit one account: their side of the comparison, in a process and an environment of its own.

Called with a database's URL. Each line on its input, `NAME THREADS SECONDS`, is answered with the debits a second.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib.metadata import version

TABLES = (
    "CREATE TABLE credit_balance (tenant_id text PRIMARY KEY, credits numeric(18, 4) NOT NULL, updated_at timestamptz DEFAULT now())",
    "CREATE TABLE credit_ledger (id uuid PRIMARY KEY, tenant_id text NOT NULL, delta numeric(18, 4) NOT NULL, reason text NOT NULL, "
    "idempotency_key text, balance_after numeric(18, 4) NOT NULL, created_at timestamptz DEFAULT now(), "
    "UNIQUE (tenant_id, idempotency_key))",
)
FUND = 10**9


def main() -> None:
    """Set both up, then do as the lines say."""
    ways = {"hf-nostro": _nostro(sys.argv[1]), "credit-ledger": _credit_ledger(sys.argv[1])}
    print("ready", ", ".join(f"{name} {version(name)}" for name in ways), flush=True)
    for line in sys.stdin:
        name, threads, seconds = line.split()
        print(_crowd(ways[name], int(threads), float(seconds)), flush=True)


def _nostro(url: str) -> Callable[[str], object]:
    from nostro import AccountKey, Ledger  # type: ignore[import-not-found]  # only in the environment that this runs in

    subprocess.run([sys.executable, "-m", "nostro", "migrate", "--dsn", url, "--scale", "6"], check=True, stdout=subprocess.DEVNULL)
    ledger = Ledger(dsn=url, scale=6)
    key = AccountKey("bench", "hot")
    ledger.accounts.get_or_create(key.tenant_id, key.scope_ref)
    ledger.credit(key, ledger.amount(FUND), category="fund", idempotency_key="fund")
    one = ledger.amount(1)
    return lambda name: ledger.debit(key, one, category="bench", idempotency_key=name)


def _credit_ledger(url: str) -> Callable[[str], object]:
    from credit_ledger import decrement, grant  # type: ignore[import-not-found]
    from sqlalchemy import create_engine, text

    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"), pool_size=64)
    with engine.begin() as connection:
        for table in TABLES:
            connection.execute(text(table))
    grant("hot", FUND, idempotency_key="fund", engine=engine)
    return lambda name: decrement("hot", 1, idempotency_key=name, engine=engine)


_NUMBERS = itertools.count()


def _crowd(act: Callable[[str], object], threads: int, seconds: float) -> float:
    counts, ends = [0] * threads, time.perf_counter() + seconds

    def work(number: int) -> None:
        while time.perf_counter() < ends:
            act(f"debit {next(_NUMBERS)}")
            counts[number] += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
