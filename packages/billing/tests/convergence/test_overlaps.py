"""Workers that overlap on one customer never leave an old state, whoever is first to draw, to fetch and to write."""

from __future__ import annotations

import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from roomtone_billing import GracePolicy, RetryPolicy, sync
from roomtone_billing.models import AccountRow
from roomtone_billing.snapshot import from_json, to_json

WORKERS = 4


class Changing:
    """A customer whose truth has a version, which its price names."""

    def __init__(self, teller, recording) -> None:
        self.teller, self.recording, self.version, self.lock = teller, recording, 0, threading.Lock()
        self.first = from_json(json.loads(recording.steps[-1].truth))
        teller.open([recording])
        teller.stand_at(recording, len(recording.steps) - 1)

    def change(self) -> bytes:
        """Another truth, and the webhook that tells of it."""
        with self.lock:
            self.version += 1
            (subscription,) = self.first.subscriptions
            truth = replace(
                self.first, subscriptions=(replace(subscription, price=replace(subscription.price, id=f"price_{self.version}")),)
            )
            self.teller.gateway.truths[self.recording.customer] = json.dumps(to_json(truth))
            payload = self.recording.steps[-1].payloads[-1]
            return payload.replace(b'"evt_', b'"evt_%d_' % self.version, 1)

    @property
    def stored(self) -> int:
        with Session(self.teller.engine) as session:
            row = session.get_one(AccountRow, self.recording.customer)
        return int(from_json(row.snapshot).subscriptions[0].price.id.removeprefix("price_"))


def in_some_order(changing: Changing, dice: random.Random) -> None:
    """Four workers hear, draw, fetch and write, each its own steps in order, all of them mixed at random."""
    teller = changing.teller
    rules = sync.Rules(catalogue=teller.billing.catalogue, grace=GracePolicy(), retry=RetryPolicy())

    def worker():
        teller.hear(changing.change())
        yield
        sync.CUSTOMERS.route(teller.engine, limit=100)
        yield
        ticket = sync.CUSTOMERS.draw(teller.engine, changing.recording.customer, now=teller.now)
        yield
        truth = teller.gateway.fetch(changing.recording.customer)
        yield
        sync.write(teller.engine, ticket, truth, rules=rules, now=teller.now)

    under_way = [worker() for _ in range(WORKERS)]
    while under_way:
        one = dice.choice(under_way)
        if next(one, "done") == "done":
            under_way.remove(one)


def settle(changing: Changing) -> None:
    """Whoever died or lost is taken for dead, and the worker comes to rest."""
    changing.teller.now += timedelta(minutes=2)
    changing.teller.drain()


def stale_in(teller, recording, trials: int) -> list[int]:
    """The trials after which an older truth is stored than Stripe's."""
    stale = []
    for trial in range(trials):
        changing = Changing(teller, recording.copy(f"t{trial}"))
        in_some_order(changing, random.Random(trial))
        settle(changing)
        stale += [trial] * (changing.stored != changing.version)
    return stale


def test_four_workers_whose_steps_mix_in_any_order_leave_the_last_truth(recordings, engine, make_teller):
    assert stale_in(make_teller(engine), recordings["first purchase"], 20) == []


@pytest.mark.machine
@pytest.mark.timeout(1500)
def test_a_thousand_mixtures_of_four_workers_leave_the_last_truth(recordings, engine, make_teller):
    assert stale_in(make_teller(engine), recordings["first purchase"], 1000) == []


def threads_stale_in(teller, recording, trials: int) -> list[int]:
    stale = []
    with ThreadPoolExecutor(WORKERS) as pool:
        for trial in range(trials):
            changing = Changing(teller, recording.copy(f"p{trial}"))
            barrier = threading.Barrier(WORKERS)

            def work(_: int, changing=changing, barrier=barrier) -> None:
                payload = changing.change()
                barrier.wait(60)
                changing.teller.hear(payload)
                changing.teller.billing.work()

            list(pool.map(work, range(WORKERS)))
            settle(changing)
            stale += [trial] * (changing.stored != changing.version)
    return stale


def test_four_threads_on_one_customer_leave_the_last_truth(recordings, engine, make_teller):
    assert threads_stale_in(make_teller(engine), recordings["first purchase"], 10) == []


@pytest.mark.machine
@pytest.mark.timeout(1500)
def test_a_thousand_meetings_of_four_threads_leave_the_last_truth(recordings, engine, make_teller):
    teller = make_teller(engine)

    assert threads_stale_in(teller, recordings["first purchase"], 1000) == []
    assert teller.is_told_once()
