"""Threads that debit one account, and how long each debit takes; run by itself it is one of several processes that do."""

from __future__ import annotations

import itertools
import sys
import threading
import time
import uuid
from collections.abc import Callable

from sqlalchemy import create_engine

from roomtone_ai_credits import AiCredits, ModelRate, RateCard, Usage

CARD = RateCard(version="bench", models=(ModelRate(pattern="unit", input_nano=1_000),))
ONE = Usage(input_tokens=1)


def debits(credits_: AiCredits, account: str) -> Callable[[], None]:
    """Debit an account by one micro-credit, under a key of its own each time."""
    name, numbers = uuid.uuid4().hex, itertools.count()

    def debit() -> None:
        credits_.charge(account, model="unit", usage=ONE, key=f"{name} {next(numbers)}")

    return debit


def crowd(act: Callable[[], object], *, threads: int, seconds: float) -> tuple[float, list[float]]:
    """Let threads act for some seconds; returns the operations a second, and the seconds that each took. What goes wrong is raised."""
    each: list[list[float]] = [[] for _ in range(threads)]
    problems: list[BaseException] = []
    ends = time.perf_counter() + seconds

    def work(mine: list[float]) -> None:
        try:
            while (began := time.perf_counter()) < ends:
                act()
                mine.append(time.perf_counter() - began)
        except BaseException as problem:  # noqa: BLE001  # it is raised again, by who waits for this thread
            problems.append(problem)

    workers = [threading.Thread(target=work, args=(mine,)) for mine in each]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if problems:
        raise problems[0]
    took = [one for mine in each for one in mine]
    return len(took) / (time.perf_counter() - began), took


def main() -> None:
    """Say when ready, begin at the first line of the input, and say how many debits there were."""
    url, account, threads, seconds = sys.argv[1:]
    credits_ = AiCredits(create_engine(url, pool_size=int(threads)), rate_card=CARD)
    credits_.balance(account)
    print("ready", flush=True)
    sys.stdin.readline()
    _, took = crowd(debits(credits_, account), threads=int(threads), seconds=float(seconds))
    print(len(took), flush=True)


if __name__ == "__main__":
    main()
