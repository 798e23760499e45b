"""A process killed between hold and settle: nothing is lost, nothing is charged twice."""

import os
import signal
import subprocess
import sys
from datetime import timedelta

import pytest

from roomtone_ai_credits import AiCredits, Usage, errors, utc_now

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
