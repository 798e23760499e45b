"""Times keep their zone on both databases, and naive ones are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from roomtone_billing.models import AccountRow


def row(created_at: datetime) -> AccountRow:
    return AccountRow(account="a", token="t", email="a@example.org", name="A", created_at=created_at)


def test_a_time_comes_back_aware_and_in_utc(engine):
    with Session(engine) as session, session.begin():
        session.add(row(datetime(2026, 3, 29, 3, 30, tzinfo=timezone(timedelta(hours=2)))))
    with Session(engine) as session:
        stored = session.get_one(AccountRow, "a").created_at

    assert (stored, stored.tzinfo) == (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), UTC)


def test_a_time_without_a_zone_is_refused(engine):
    with Session(engine) as session:
        session.add(row(datetime(2026, 1, 1)))  # noqa: DTZ001 what is tested
        with pytest.raises(StatementError, match="no time zone"):
            session.flush()
