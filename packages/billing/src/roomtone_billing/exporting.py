"""All that is kept of an account, line by line."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from . import holdings
from .errors import UnknownAccount
from .models import AccountRow, metadata

FORMAT = 1
_FETCHED = 500


def lines(engine: Engine, account: str, *, now: datetime) -> Iterator[Mapping[str, Any]]:
    """As `Account.export` says."""
    with _of_one_moment(engine) as session:
        found = session.execute(select(AccountRow.customer).where(AccountRow.account == account)).first()
        if found is None:
            raise UnknownAccount(account)
        counts, which = dict[str, int](), holdings.of(session, account)
        for table in metadata.sorted_tables:
            counts[table.name] = 0
            wanted = select(table).where(which[table.name]).order_by(*table.primary_key)
            for row in session.execute(wanted.execution_options(yield_per=_FETCHED)).mappings():
                counts[table.name] += 1
                yield {"table": table.name, "row": {column.name: _plain(row[column]) for column in table.columns}}
        manifest = {"format": FORMAT, "account": account, "exported_at": now.isoformat(), "rows": counts, "customer_at_stripe": found[0]}
        yield {"manifest": manifest}


def _of_one_moment(engine: Engine) -> Session:
    """A session whose later statements do not see what was committed after the first."""
    if engine.dialect.name == "postgresql":
        return Session(engine.execution_options(isolation_level="REPEATABLE READ"))
    session = Session(engine)
    connection = session.connection()
    if not getattr(connection.connection.dbapi_connection, "in_transaction", True):
        # SQLite's driver begins no transaction for reading by itself.
        connection.exec_driver_sql("BEGIN")
    return session


def _plain(value: object) -> object:
    """As JSON can have it; a payload as what it says, where it says it in JSON."""
    if isinstance(value, datetime):
        return value.isoformat()
    if not isinstance(value, bytes):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return {"base64": base64.b64encode(value).decode()}
