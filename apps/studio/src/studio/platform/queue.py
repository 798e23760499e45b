"""The job queue: procrastinate on the control database, jobs enqueued in the transaction that causes them."""

from __future__ import annotations

from typing import Any

import procrastinate
from psycopg import Connection
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session


def driver_url(engine: Engine) -> str:
    """The engine's URL as psycopg itself reads it."""
    return engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def make_queue(engine: Engine) -> procrastinate.App:
    """A queue that can only enqueue, on connections that are handed to it. `attach_tasks` makes it one that works."""
    return procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=driver_url(engine)))


def install_schema(engine: Engine) -> None:
    """Make the queue's tables if they are not there. One process at a time, by an advisory lock."""
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('studio.jobs.schema'))"))
        if connection.scalar(text("SELECT to_regclass('procrastinate_jobs')")) is None:
            cursor = _driver(connection.connection.driver_connection).cursor()
            cursor.execute(procrastinate.schema.SchemaManager.get_schema())


def enqueue(db: Session, queue: procrastinate.App, task: str, **arguments: Any) -> None:  # Any: JSON values
    """Enqueue a job that exists if, and only if, this transaction commits."""
    connection = _driver(db.connection().connection.driver_connection)
    queue.configure_task(task, connection=connection).defer(**arguments)


def _driver(connection: object) -> Connection[Any]:  # Any: row type
    assert isinstance(connection, Connection), "the control database is reached through psycopg"
    return connection
