"""What the worker does.

Every job is a nudge: what there is to do stands in the tables (unfinished operations, stored webhooks, unsent mail), so a job
that is lost or runs twice changes nothing, and `tick` finds within a minute whatever was left.
"""

from __future__ import annotations

import asyncio

import procrastinate
import structlog
from flask import Flask

from roomtone_tenancy.errors import OperationBusy
from studio.platform import accounts, mail, provisioning, throttle
from studio.platform.clock import MovedClock
from studio.services import Services

log = structlog.get_logger()

RETRY = procrastinate.RetryStrategy(max_attempts=8, exponential_wait=2)
WORK_ROUNDS_MAX = 50
STALLED_AFTER_S = 30.0


def attach_tasks(queue: procrastinate.App, app: Flask, services: Services) -> None:
    """Register what the worker does. `app` renders the e-mails."""

    @queue.task(name="provision", retry=RETRY)
    def provision(tenant_key: str) -> None:
        with app.app_context():
            provisioning.run(services, tenant_key)

    @queue.task(name="bill", retry=RETRY)
    def bill() -> None:
        if isinstance(services.clock, MovedClock):  # the time machine enqueues this: the time is another now
            services.clock.look_again()
            services.billing.sweep()
            services.credits.sweep()
        with app.app_context():
            work_billing(services)

    @queue.task(name="deliver_mail", retry=RETRY)
    def deliver_mail() -> None:
        mail.deliver(services)

    @queue.periodic(cron="* * * * *")
    @queue.task(name="tick", queueing_lock="tick", lock="tick")
    async def tick(timestamp: int) -> None:  # noqa: ARG001  # procrastinate hands it over
        for job in await queue.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_S):
            await queue.job_manager.retry_job(job)
        await asyncio.to_thread(catch_up, app, services)


def catch_up(app: Flask, services: Services) -> None:
    """Do whatever the tables say is undone: at a worker's start and every minute. Safe to run at any time, in any number."""
    with app.app_context():
        _catch_up(services)


def _catch_up(services: Services) -> None:
    for tenant_key in services.database.tenancy.pending():
        try:
            provisioning.run(services, tenant_key)
        except OperationBusy:
            log.info("operation is another worker's", tenant=tenant_key)
        except Exception:
            log.exception("operation failed", tenant=tenant_key)  # stays pending; the others go on
    services.billing.sweep()
    work_billing(services)
    services.credits.sweep()
    mail.deliver(services)
    with services.database.control() as db:
        accounts.forget_old_sign_ins(db)
        throttle.forget_old_windows(db)


def work_billing(services: Services) -> int:
    """Apply stored webhooks and run the handlers of what they changed, until nothing is left or a bound is reached."""
    done = 0
    for _round in range(WORK_ROUNDS_MAX):
        worked = services.billing.work()
        done += worked
        if not worked:
            break
    return done
