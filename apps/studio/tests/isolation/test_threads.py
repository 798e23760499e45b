"""Two studios served by one process at the same time: neither answers nor log lines are ever mixed up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog
from structlog.testing import capture_logs

from roomtone_tenancy.errors import NoTenant

THREADS = 8
ROUNDS = 40
PATHS = (
    "/", "/app", "/app/calendar/bookings.json?start={day}T00:00&end={day}T23:00", "/app/clients", "/app/bookings/{booking}", "/theme.css",
    "/book/{public booking}/calendar.ics", "/app/settings/rooms/{room}",
)  # fmt: skip


@pytest.fixture
def visits(houses, now):
    """Requests of both studios in turns, as (house, other, path); every path is asked of both."""
    both = [(houses[0], houses[1]), (houses[1], houses[0])]
    return [(*both[n % 2], PATHS[n // 2 % len(PATHS)].format(day=now.date(), **both[n % 2][0].ids)) for n in range(THREADS * ROUNDS)]


@pytest.fixture
def signed_in_at(app, client_at):
    """A new client with the owner's sign-in, since test clients are not for several threads."""

    def make(house):
        client = client_at(house)
        client.set_cookie(app.studio.config["SESSION_COOKIE_NAME"], house.sign_in, domain=house.host.partition(":")[0])
        return client

    return make


def test_many_threads_over_two_hosts_mix_nothing_up(houses, visits, signed_in_at, content, services):
    def visit(one):
        house, other, path = one
        answer = signed_in_at(house).get(path)
        said = content(answer)
        with pytest.raises(NoTenant):
            _ = services.database.tenancy.current
        return path, answer.status_code, house.mark in said or path == "/theme.css", [t for t in other.traces if t in said]

    with ThreadPoolExecutor(THREADS) as pool:
        seen = list(pool.map(visit, visits))

    assert {status for _, status, _, _ in seen} == {200}
    assert [path for path, _, shows_own, _ in seen if not shows_own] == []
    assert [(path, strange) for path, _, _, strange in seen if strange] == []


def test_a_log_line_names_the_studio_that_it_is_about(app, houses, visits, signed_in_at, services, monkeypatch):
    def broken():
        raise RuntimeError(services.database.tenancy.current.key)

    monkeypatch.setitem(app.studio.view_functions, "settings.theme", broken)
    rendered = [structlog.contextvars.merge_contextvars, structlog.processors.format_exc_info]
    with capture_logs(processors=rendered) as lines, ThreadPoolExecutor(THREADS) as pool:
        statuses = list(pool.map(lambda one: signed_in_at(one[0]).get("/theme.css").status_code, visits[:80]))

    assert set(statuses) == {500}
    assert len(lines) == len(statuses)
    for house, other in (houses, houses[::-1]):
        own = [line for line in lines if line["tenant"] == house.key]
        assert len(own) == len(lines) / 2
        assert all(f"RuntimeError: {house.mark}" in line["exception"] for line in own)
        assert not [line for line in own if any(trace in repr(line).lower() for trace in other.traces)]
