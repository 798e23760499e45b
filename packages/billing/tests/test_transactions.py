"""Retries: growing pauses, and an end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from roomtone_billing import RetryPolicy

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.integers(1, 50), st.integers(1, 100), st.integers(1, 10_000))
def test_pauses_grow_to_their_bound_and_end(attempts_max, first, longest):
    policy = RetryPolicy(attempts_max=attempts_max, first_delay_s=first, delay_s_max=longest)
    moments = [policy.after(attempts, NOW) for attempts in range(1, attempts_max + 2)]
    pauses = [moment - NOW for moment in moments if moment is not None]

    assert moments[-2:] == [None, None] if attempts_max > 1 else moments == [None, None]
    assert len(pauses) == attempts_max - 1
    assert pauses == sorted(pauses)
    assert all(pause <= timedelta(seconds=longest) for pause in pauses)
