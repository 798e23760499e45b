"""Where Stripe's webhooks arrive. The library stores them; the worker is told in a job."""

from __future__ import annotations

from flask import Blueprint

from roomtone_billing import Billing
from roomtone_billing.flask import blueprint
from studio.platform import queue
from studio.web.request import control_db, services


def webhook_pages(billing: Billing) -> Blueprint:
    """The endpoint `/webhooks/stripe`."""
    return blueprint(billing, on_stored=_nudge, path="")


def _nudge() -> None:
    with control_db() as db:
        queue.enqueue(db, services().jobs, "bill")
