from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from roomtone_tenancy.fleet.schedule import due, offset

moments = st.datetimes(timezones=st.just(UTC), min_value=datetime(1971, 1, 1), max_value=datetime(2100, 1, 1))  # noqa: DTZ001 -- Hypothesis adds the zone
periods = st.timedeltas(timedelta(seconds=1), timedelta(days=40))
KEYS = [f"tenant-{number}" for number in range(300)]


@given(key=st.text(max_size=20), every=periods, task=st.text(max_size=5))
def test_a_turn_is_within_its_period_and_always_the_same(key, every, task):
    assert timedelta(0) <= offset(key, every, task=task) < every
    assert offset(key, every, task=task) == offset(key, every, task=task)


@given(start=moments, every=periods, cuts=st.lists(st.floats(0, 1), max_size=6))
def test_each_tenant_comes_exactly_once_in_a_period_however_it_is_cut(start, every, cuts):
    ends = [start, *sorted(start + every * cut for cut in cuts), start + every]

    came = [key for since, until in itertools.pairwise(ends) for key in due(KEYS[:20], every, since=since, until=until)]

    assert sorted(came) == sorted(KEYS[:20])


def test_turns_are_spread_over_the_period_and_differently_for_another_task():
    start = datetime(2026, 11, 23, tzinfo=UTC)
    hours = [due(KEYS, timedelta(days=1), since=start + timedelta(hours=n), until=start + timedelta(hours=n + 1)) for n in range(24)]

    assert max(map(len, hours)) < 3 * len(KEYS) / 24
    assert offset("a", timedelta(days=1)) != offset("a", timedelta(days=1), task="mail")
