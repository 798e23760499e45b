"""The worker: works what is due, waits longer while nothing is, survives failures, and stops when told."""

from __future__ import annotations

import threading
from datetime import timedelta

from sqlalchemy.exc import OperationalError

from roomtone_billing import Phase, Rhythm, Worker

QUIET = Rhythm(sweep=None, backfill=None, forget=None)


def test_it_works_until_nothing_is_due_and_then_waits_longer_and_longer(host):
    customer = host.customer()
    host.stripe.subscribe(customer, plan="pro")
    host.hear(customer)
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) == 7

    done = Worker(host.billing, rhythm=QUIET, wait=wait).run()

    assert done > 0
    assert host.billing.account("a").access().phase is Phase.active
    assert waits == [1, 2, 4, 8, 10, 10, 10]


def test_news_after_a_silence_ends_the_long_waits(host):
    customer = host.customer()
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        if len(waits) == 4:
            host.hear(customer)
        return len(waits) == 6

    host.drain()
    Worker(host.billing, rhythm=QUIET, wait=wait).run()

    assert waits == [1, 2, 4, 8, 1, 2]


def test_it_stops_when_told_from_another_thread(host):
    worker = Worker(host.billing, rhythm=Rhythm(idle_s=60, idle_s_max=60))
    thread = threading.Thread(target=worker.run)
    thread.start()
    worker.stop()
    thread.join(60)

    assert not thread.is_alive()


def test_rounds_are_bounded_when_asked_for(host):
    assert Worker(host.billing, rhythm=QUIET, wait=lambda _: False).run(rounds_max=3) == 0


def test_a_database_that_fails_is_waited_for(host, monkeypatch):
    customer = host.customer()
    host.stripe.subscribe(customer, plan="pro")
    host.hear(customer)
    honest, failures = host.billing.work, iter([1, 2])

    def work(limit: int = 100) -> int:
        if next(failures, None):
            raise OperationalError("SELECT 1", {}, Exception("server closed the connection"))
        return honest(limit)

    monkeypatch.setattr(host.billing, "work", work)
    waits: list[float] = []
    Worker(host.billing, rhythm=QUIET, wait=lambda seconds: waits.append(seconds) or len(waits) > 3).run()

    assert waits[:2] == [1, 2]
    assert host.billing.account("a").access().phase is Phase.active


def test_it_sweeps_and_fills_gaps_at_their_times_and_a_stripe_that_is_away_stops_neither(host):
    customer = host.customer()
    host.stripe.subscribe(customer, plan="pro")
    host.start_trial("b")
    host.stripe.break_down(operation="get /v1/events")
    phases = []

    def wait(_: float) -> bool:
        phases.append((str(host.billing.account("a").access().phase), str(host.billing.account("b").access().phase)))
        host.clock.move(hours=1)
        return len(phases) == 3

    host.clock.move(days=14)
    Worker(host.billing, rhythm=Rhythm(sweep=timedelta(minutes=1), backfill=timedelta(minutes=30)), wait=wait).run()

    assert phases[0][1] == "read_only"
    assert phases[-1] == ("active", "read_only")
