from __future__ import annotations

import random

import pytest
from sqlalchemy import event, text

from roomtone_tenancy import errors
from roomtone_tenancy.ask import AskApp, CertificateAsk

LOOPBACK, STRANGER = "127.0.0.1", "203.0.113.9"


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tenancy(sqlite_site):
    tenancy = sqlite_site.tenancy()
    for key in ("a", "b", "c"):
        sqlite_site.register(tenancy, key, domains=[f"{key}.test"])
    with sqlite_site.catalog.begin() as catalog:
        catalog.execute(text("UPDATE tenancy_tenants SET state = 'active' WHERE key = 'a'"))
        catalog.execute(text("UPDATE tenancy_tenants SET state = 'suspended' WHERE key = 'b'"))
    sqlite_site.change(tenancy.domains.add, "a", "claimed.example")
    return tenancy


@pytest.fixture
def queries(sqlite_site, tenancy):
    seen = []
    for engine in sqlite_site.engines:
        event.listen(engine, "before_cursor_execute", lambda *arguments: seen.append(arguments[2]) if "SELECT" in arguments[2] else None)
    return seen


@pytest.fixture
def ask(tenancy, clock):
    return CertificateAsk(tenancy, timer=clock)


def get(app, query, peer=LOOPBACK):
    started = []
    body = app({"QUERY_STRING": query, "REMOTE_ADDR": peer}, lambda status, headers: started.append((status, dict(headers))))
    assert body == []
    assert "Location" not in started[0][1]
    return int(started[0][0][:3])


def test_only_verified_hosts_of_tenants_that_work_get_a_certificate(ask):
    hosts = ["a.test", "A.TEST.", "claimed.example", "b.test", "c.test", "nobody.test"]

    assert [ask.may(host) for host in hosts] == [True, True, False, False, False, False]


@pytest.mark.parametrize(
    "host", ["", "a b", "10.0.0.1", "[::1]", "localhost", "a\0.test", "x" * 300, "*.test", "http://a.test", "a.test/.."]
)
def test_what_is_no_public_name_costs_no_query(ask, queries, host):
    assert not ask.may(host)
    assert queries == []


def test_ten_thousand_random_names_cost_a_bounded_number_of_queries(ask, clock, queries):
    chance = random.Random(7)
    ask.may("a.test")

    for _ in range(10_000):
        clock.now += 0.0005  # five seconds in all
        assert not ask.may(f"{chance.randbytes(8).hex()}.example")

    assert len(queries) <= 130  # 20 at once and 20 a second, and the one tenant
    assert ask.may("a.test")


def test_an_unknown_name_is_remembered(ask, queries):
    answers = {ask.may("nobody.test") for _ in range(100)}

    assert answers == {False}
    assert len(queries) <= 1


def test_a_new_domain_is_seen_when_the_old_answer_is_forgotten(sqlite_site, tenancy, ask, clock):
    before = ask.may("new.example")
    sqlite_site.change(tenancy.domains.add, "a", "new.example", verified=True)
    clock.now += 11

    assert (before, ask.may("new.example")) == (False, True)


def test_a_catalog_that_is_away_is_a_no_that_is_not_remembered(ask, tenancy, monkeypatch):
    def away(host):
        raise errors.CatalogUnavailable(host)

    with monkeypatch.context() as patched:
        patched.setattr(tenancy, "resolve", away)
        during = ask.may("a.test")

    assert (during, ask.may("a.test")) == (False, True)


def test_answers_are_bounded(tenancy, clock):
    ask = CertificateAsk(tenancy, timer=clock, entries_max=10, lookups_per_s=1000)

    for number in range(50):
        ask.may(f"h{number}.example")

    assert len(ask._answers) == 10


@pytest.mark.parametrize(
    ("query", "status"),
    [("domain=a.test", 200), ("domain=nobody.test", 404), ("", 404), ("domain=", 404), ("domain=a.test&domain=b.test", 404),
     ("host=a.test", 404), ("domain=" + "a" * 2000, 404), ("&".join(["domain=a.test"] + ["x=y"] * 9), 404), ("domain=%00", 404)],
)  # fmt: skip
def test_the_page_says_yes_or_no(ask, query, status):
    assert get(AskApp(ask), query) == status


@pytest.mark.parametrize(("peer", "status"), [(LOOPBACK, 200), ("::1", 200), ("", 200), (STRANGER, 404), ("10.0.0.1", 404)])
def test_strangers_are_told_nothing(ask, peer, status):
    assert get(AskApp(ask), "domain=a.test", peer) == status
