"""A process killed between hold and settle: nothing is lost, nothing is charged twice."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from roomtone_ai_credits import AiCredits, Usage, errors, schema, utc_now

WORKER = """
import sys, time
from sqlalchemy import create_engine
from roomtone_ai_credits import AiCredits, ModelRate, RateCard, Usage

url, account, moment = sys.argv[1:]
card = RateCard(version="1", models=(ModelRate(pattern="unit", input_nano=1_000),))
credits = AiCredits(create_engine(url), rate_card=card)
with credits.meter(account, model="unit", estimate=Usage(input_tokens=60), key="turn") as call:
    if moment == "after settle":
        call.settle(Usage(input_tokens=25))
    print(call.hold.id, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def killed(engine, card, account, transaction):
    """Runs a worker up to a moment, kills it, and returns its hold's id and a maker of ledgers whose clock is some seconds later."""

    def ledger_after(*, seconds):
        return AiCredits(engine, rate_card=card, clock=lambda: utc_now() + timedelta(seconds=seconds))

    def kill(moment):
        url = engine.url.render_as_string(hide_password=False)
        with subprocess.Popen([sys.executable, "-c", WORKER, url, account, moment], stdout=subprocess.PIPE, text=True) as worker:
            hold_id = worker.stdout.readline().strip()
            os.kill(worker.pid, signal.SIGKILL)
        return hold_id, ledger_after

    with transaction() as session:
        ledger_after(seconds=0).grant(session, account, amount=100, key="fund")
    return kill


@pytest.mark.faults
def test_a_hold_of_a_killed_process_promises_until_it_expires_and_its_work_is_charged_once(killed, account):
    hold_id, ledger_after = killed("before settle")

    held = ledger_after(seconds=0).balance(account)
    with pytest.raises(errors.InsufficientCredits):
        ledger_after(seconds=0).hold(account, model="unit", estimate=Usage(input_tokens=41), key="other")
    expired = ledger_after(seconds=600).balance(account)
    settlements = [ledger_after(seconds=600).settle(hold_id, Usage(input_tokens=25)) for _ in range(2)]

    assert [(balance.available, balance.held) for balance in (held, expired)] == [(40, 60), (100, 0)]
    assert [(settled.charged, settled.is_late, settled.replayed) for settled in settlements] == [(25, True, False), (25, True, True)]
    assert ledger_after(seconds=600).balance(account).available == 75


@pytest.mark.faults
def test_a_retry_of_a_killed_process_charges_no_settled_work_again(killed, account):
    _, ledger_after = killed("after settle")

    with ledger_after(seconds=600).meter(account, model="unit", estimate=Usage(input_tokens=60), key="turn") as call:
        call.settle(Usage(input_tokens=30))

    assert (call.charged, ledger_after(seconds=600).balance(account).available) == (25, 75)


@pytest.mark.faults
def test_backends_killed_under_sixteen_threads_lose_nothing_acknowledged_and_double_nothing(database_url, card):
    engine, other, account = create_engine(database_url, pool_size=16), create_engine(database_url), "a"
    schema.upgrade(engine)
    callers = [AiCredits(engine, rate_card=card) for _ in range(4)]  # four combiners, as in four processes
    callers[0].grant(None, account, amount=10_000, key="fund")
    is_over, acknowledged = threading.Event(), set()
    kill = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")

    def killer():
        with other.connect() as connection:
            while not is_over.wait(0.05):
                connection.execute(kill)

    def work(number):
        for turn in range(25):
            key = f"{number} {turn}"
            # A caller that is told of an error asks again, with the same key.
            for _ in range(20):
                try:
                    callers[number % 4].charge(account, model="unit", usage=Usage(input_tokens=3), key=key)
                except DBAPIError:
                    continue
                acknowledged.add(key)
                break

    murderer = threading.Thread(target=killer)
    murderer.start()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    is_over.set()
    murderer.join()
    fresh = AiCredits(other, rate_card=card)
    left, proved = fresh.balance(account).available, fresh.verify()
    engine.dispose()
    other.dispose()

    assert (len(acknowledged), left, proved.entries) == (400, 10_000 - 3 * 400, 401)
