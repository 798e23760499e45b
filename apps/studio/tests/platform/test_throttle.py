"""Limits that all processes share."""

import pytest

from studio.errors import TooManyAttempts
from studio.platform.throttle import Limit, count_attempt


def test_the_attempt_over_the_limit_is_refused_with_the_time_to_wait(services, studio) -> None:
    limit = Limit(count=3, window_s=3600)
    for _attempt in range(3):
        with services.database.control() as db:
            count_attempt(db, limit, "test", studio.key)

    with pytest.raises(TooManyAttempts) as refused, services.database.control() as db:
        count_attempt(db, limit, "test", studio.key)

    assert 0 < refused.value.retry_after_s <= 3601


def test_subjects_are_counted_apart(services, studio) -> None:
    limit = Limit(count=1, window_s=3600)

    for name in ("one", "two"):
        with services.database.control() as db:
            count_attempt(db, limit, name, studio.key)
