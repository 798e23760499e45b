"""When each tenant's turn is within a period, so that not all of them come at the full hour. Pure.

The moment follows from the key alone: every process and every version knows the same one, and nothing is stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def offset(key: str, every: timedelta, *, task: str = "") -> timedelta:
    """How long after the beginning of each period the tenant's turn is: from 0 to less than `every`, in whole microseconds.

    Args:
        task: another one spreads the tenants differently.
    """
    number = int.from_bytes(hashlib.sha256(f"{task}\x00{key}".encode()).digest()[:16])
    return timedelta(microseconds=number % _microseconds(every))


def due(keys: Iterable[str], every: timedelta, *, since: datetime, until: datetime, task: str = "") -> list[str]:
    """Those whose turn is in `[since, until)`: called with one interval after the other, each tenant comes once in every period.

    Args:
        every: the period, > 0; periods are counted from 1970-01-01 UTC.
        since, until: aware; usually the time of the last call and now.
    """
    period = _microseconds(every)
    first, last = (_microseconds(moment - _EPOCH) for moment in (since, until))

    def turns_before(moment: int, key: str) -> int:
        return (moment - 1 - _microseconds(offset(key, every, task=task))) // period

    return [key for key in keys if turns_before(last, key) > turns_before(first, key)]


def _microseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
