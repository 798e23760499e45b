"""A process that works on billing and is killed, at one step after the other: run by test_kills.py as a program of its own.

It reads a job (JSON) on its input: the database, and for each round an account, its signed webhook and Stripe's truth about it. In the
n-th round a child hears the webhook, works, and kills itself with SIGKILL at the n-th of the named moments: before or after one of the
commits, before or after the fetch, or inside the handler. It prints where each child died and how. One without a moment lists them all.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import datetime
from pathlib import Path

from sqlalchemy import create_engine, event, text
from sqlalchemy.pool import NullPool

from roomtone_billing import Billing, Catalogue, Interval, Plan, Price, SubscriptionStarted
from roomtone_billing.snapshot import from_json
from roomtone_billing.stripe import StripeGateway

PACKAGE = str(Path(sys.modules["roomtone_billing"].__file__ or "").parent)


class Moments:
    """Counts the moments of a round and dies at one of them."""

    def __init__(self, deadly: tuple[str, int] | None) -> None:
        self.deadly, self.names = deadly, []

    def pass_(self, name: str) -> None:
        self.names.append(name)
        if self.deadly and (name, self.names.count(name)) == tuple(self.deadly):
            print(json.dumps({"at": name}), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)


def step() -> str:
    """The function of the library that commits, as module.function."""
    frame = sys._getframe()
    while frame and not (frame.f_code.co_filename.startswith(PACKAGE) and "transactions" not in frame.f_code.co_filename):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}" if frame else "?"


def work(job: dict, round_: dict, moments: Moments) -> None:
    engine = create_engine(job["url"], poolclass=NullPool)
    now = datetime.fromisoformat(round_["now"])
    plan = Plan("pro", "Pro", (Price(Interval.month, 5900),))
    gateway = StripeGateway("sk_test_x", webhook_secrets=[job["secret"]])

    def fetch(customer: str):
        moments.pass_("before gateway.fetch")
        truth = from_json(round_["truths"][customer])
        moments.pass_("after gateway.fetch")
        return truth

    gateway.fetch = fetch
    billing = Billing(engine, catalogue=Catalogue(plans=(plan,)), gateway=gateway, clock=lambda: now)

    @billing.on(SubscriptionStarted, name="grant")
    def grant(session, started):
        moments.pass_("before the handler's effect")
        session.execute(text("INSERT INTO granted VALUES (:account)"), {"account": started.account})
        moments.pass_("after the handler's effect")

    after: list[str] = []

    def committing(_: object) -> None:
        name = step()
        moments.pass_(f"before the commit of {name}")
        after.append(name)

    def returned(*_: object) -> None:
        if after:
            moments.pass_(f"after the commit of {after.pop()}")

    event.listen(engine, "commit", committing)
    event.listen(engine, "checkin", returned)
    billing.receive(round_["payload"].encode(), round_["header"])
    while billing.work():
        pass
    print(json.dumps({"moments": moments.names}), flush=True)


def main() -> None:
    job = json.load(sys.stdin)
    for deadly, round_ in zip(job["deadly"], job["rounds"], strict=True):
        sys.stdout.flush()
        child = os.fork()
        if not child:
            work(job, round_, Moments(deadly))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, "exit": os.waitstatus_to_exitcode(status)}))


if __name__ == "__main__":
    main()
