"""Workers killed between any two steps lose nothing and do nothing twice; the steps are found, not listed, and their list is checked."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from roomtone_billing import SubscriptionStarted
from roomtone_billing.signature import sign

SECRET = "whsec_stories"
STEPS = {
    "before the commit of inbox.store",
    "after the commit of inbox.store",
    "before the commit of fence.route",
    "after the commit of fence.route",
    "before the commit of fence._draw",
    "after the commit of fence._draw",
    "before gateway.fetch",
    "after gateway.fetch",
    "before the commit of fence.write",
    "after the commit of fence.write",
    "before the handler's effect",
    "after the handler's effect",
    "before the commit of outbox._handle",
    "after the commit of outbox._handle",
    "before the commit of outbox._deliver",
    "after the commit of outbox._deliver",
}


@pytest.fixture
def granted(engine):
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE granted (account TEXT)"))
    yield lambda: sorted(_rows(engine))
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE granted"))


def _rows(engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT account FROM granted")).scalars())


def run(engine, teller, copies, deadly: list[tuple[str, int] | None]) -> list[dict]:
    """Let one child after the other hear its copy and die at its moment; each comes two minutes after the one before."""
    rounds = []
    truths = {copy.customer: json.loads(copy.steps[0].truth) for copy in copies}
    for at, copy in enumerate(copies):
        now = teller.now + at * timedelta(minutes=2)
        payload = copy.steps[0].payloads[-1]
        header = sign(payload, secret=SECRET, at=now)
        rounds.append({"payload": payload.decode(), "header": header, "now": now.isoformat(), "truths": truths})
    job = {"url": engine.url.render_as_string(hide_password=False), "secret": SECRET, "deadly": deadly, "rounds": rounds}
    program = [sys.executable, str(Path(__file__).parent / "dying.py")]
    done = subprocess.run(program, input=json.dumps(job), capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.faults
def test_a_worker_killed_at_any_moment_loses_nothing_and_does_nothing_twice(recordings, engine, make_teller, granted):
    teller, recording = make_teller(engine), recordings["first purchase of pro"]
    teller.now = recording.steps[0].at
    scout, *_ = first = [recording.copy("scout")]
    teller.open(first)
    teller.stand_at(scout, 0)
    moments, _ = run(engine, teller, first, [None])
    names = [(name, moments["moments"][: at + 1].count(name)) for at, name in enumerate(moments["moments"])]
    copies = [recording.copy(f"k{at}") for at in range(len(names))]
    teller.open(copies)
    teller.stand_at(scout, 0)
    told = run(engine, teller, copies, names)
    for at, copy in enumerate(copies):
        teller.stand_at(copy, 0)
        if names[at] == ("before the commit of inbox.store", 1):
            teller.hear(copy.steps[0].payloads[-1])  # never acknowledged, so Stripe sends it again
    teller.now += timedelta(hours=2)
    teller.billing.on(SubscriptionStarted, name="grant")(
        lambda session, one: session.execute(text("INSERT INTO granted VALUES (:account)"), {"account": one.account})
    )
    teller.drain()

    assert {name for name, _ in names} == STEPS
    assert [line["signal"] for line in told if "signal" in line] == [9] * len(names)
    assert [line["at"] for line in told if "at" in line] == [name for name, _ in names]
    assert granted() == sorted(copy.customer for copy in (scout, *copies))
    assert {teller.end_of(copy).phase for copy in (scout, *copies)} == {"active"}
    assert {view.state for view in teller.billing.inbox(limit=500)} == {"done"}
