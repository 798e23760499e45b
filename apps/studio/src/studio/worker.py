"""The worker process: runs jobs until it is told to stop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import procrastinate
import structlog
from flask import Flask

from studio.platform import jobs, queue
from studio.services import Services

log = structlog.get_logger()

CONCURRENCY = 4
HEARTBEAT_S = 5.0
STALLED_WORKER_S = 20.0
STOP_WITHIN_S = 10.0


def run(services: Services, app: Flask, *, ready_file: Path | None = None) -> None:
    """Catch up with what was left undone, then work until SIGINT or SIGTERM; running jobs get ten seconds to finish.

    Args:
        app: renders e-mails; any of the three apps does.
        ready_file: touched when the catching up is done.
    """
    connector = procrastinate.PsycopgConnector(conninfo=queue.driver_url(services.database.engine), max_size=CONCURRENCY + 2)
    # An app of its own: tasks registered on the queue that enqueues would enqueue on this asynchronous connector.
    working = procrastinate.App(connector=connector)
    jobs.attach_tasks(working, app, services)
    jobs.catch_up(app, services)
    if ready_file is not None:
        ready_file.touch()
    log.info("worker is ready", concurrency=CONCURRENCY)
    asyncio.run(_work(working))


async def _work(working: procrastinate.App) -> None:
    options: dict[str, Any] = {  # Any: keyword arguments of several types
        "concurrency": CONCURRENCY,
        "fetch_job_polling_interval": 1.0,
        "update_heartbeat_interval": HEARTBEAT_S,
        "stalled_worker_timeout": STALLED_WORKER_S,
        "shutdown_graceful_timeout": STOP_WITHIN_S,
        "delete_jobs": "successful",
    }
    async with working.open_async():
        await working.run_worker_async(**options)
