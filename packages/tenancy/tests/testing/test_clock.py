from __future__ import annotations

from datetime import UTC, datetime, timedelta

from roomtone_tenancy.testing import FakeClock


def test_it_stands_still_until_it_is_moved_and_can_be_put_back():
    clock = FakeClock(datetime(2030, 1, 1, tzinfo=UTC))
    first = clock()

    moved = clock.advance(timedelta(days=2))

    assert (first.day, moved.day, clock().day) == (1, 3, 3)
    clock.reset()
    assert clock() == first
