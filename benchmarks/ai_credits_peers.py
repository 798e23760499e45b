"""What the credit ledger is compared with: PostgreSQL's own pgbench, and two rivals."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from studio.embedded import Binaries

NAMES, SCRIPT = ("hf-nostro", "credit-ledger"), Path(__file__).parent / "ai_credits_rivals.py"
PGBENCH = """
WITH paid AS (UPDATE bench_account SET balance = balance - 1 WHERE id = 1 AND balance >= 1 RETURNING balance)
INSERT INTO bench_entry (account_id, amount, balance_after) SELECT 1, -1, balance FROM paid;
"""


class Rivals:
    """The rivals, in their own process."""

    def __init__(self, versions: str, *, to: IO[str], says: IO[str]) -> None:
        self.versions, self._to, self._says = versions, to, says

    def debits(self, name: str, threads: int, seconds: int) -> float:
        """Debits a second of one of them."""
        self._to.write(f"{name} {threads} {seconds}\n")
        self._to.flush()
        return float(self._says.readline())


@contextmanager
def rivals_on(url: str) -> Iterator[Rivals | None]:
    """Both on this server, in an environment that uv makes for them; None where that cannot be had."""
    uv = shutil.which("uv")
    if uv is None:
        yield None
        return
    packages = [part for name in ("hf-nostro[postgres]", "credit-ledger", "psycopg[binary]") for part in ("--with", name)]
    command = [uv, "run", "--quiet", "--isolated", "--no-project", "--python", sys.executable, *packages, "python", str(SCRIPT)]
    process = subprocess.Popen([*command, url.replace("+psycopg", "")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        ready, _, versions = process.stdout.readline().strip().partition(" ")
        yield Rivals(versions, to=process.stdin, says=process.stdout) if ready == "ready" else None
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()


class Pgbench:
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


def pgbench_of(binaries: Binaries) -> str:
    """The pgbench that came with the server, else the one on the path."""
    own = binaries.folder / "pgbench"
    found = str(own) if own.exists() else shutil.which("pgbench")
    assert found is not None, "pgbench is neither beside the server's programs nor on the path; install PostgreSQL's contrib programs"
    return found
