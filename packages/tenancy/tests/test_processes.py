"""Several processes share one server's connections: real ones, also one that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from roomtone_tenancy import PoolLimits, errors
from roomtone_tenancy.lending import Shelf
from roomtone_tenancy.models import ProcessRow
from roomtone_tenancy.pool import Budgets
from roomtone_tenancy.processes import Heart

CHILD = """
import sys, time
from datetime import UTC, datetime
from sqlalchemy import create_engine
from roomtone_tenancy import PoolLimits
from roomtone_tenancy.pool import Budgets
from roomtone_tenancy.processes import Heart

limits = PoolLimits(per_server=12, beat_s=0.05)
heart = Heart(catalog=create_engine(sys.argv[1]), clock=lambda: datetime.now(UTC), budgets=Budgets(limits), limits=limits)
heart.ensure()
print("alive", flush=True)
time.sleep(60)
"""


class Clock:
    def __init__(self):
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def member(site, clock):
    """Another process's heart, beaten by hand."""

    def member(**limits):
        of = PoolLimits(**{"per_server": 12, "beat_s": 1000, **limits})
        budgets = Budgets(of)
        heart = Heart(catalog=site.catalog, clock=clock, budgets=budgets, limits=of)
        hearts.append(heart)
        heart.ensure()
        heart.budget = budgets.of("main")
        return heart

    hearts = []
    yield member
    for heart in hearts:
        heart.stop()


def shares(site):
    with Session(site.catalog) as session:
        return sorted(session.scalars(select(ProcessRow.share)))


def test_a_process_alone_has_all_and_a_newcomer_waits_until_others_gave_way(site, member):
    first = member()
    second = member()
    before = (first.budget.limit, second.budget.limit)

    first.beat()
    second.beat()

    assert before == (12, 0)
    assert (first.budget.limit, second.budget.limit) == (6, 6)


def test_shares_never_add_up_to_more_than_the_limit(site, member):
    hearts = [member()]
    for _ in range(4):
        hearts.append(member())
        for heart in (*hearts, *reversed(hearts)):
            heart.beat()
            assert sum(shares(site)) <= 12

    assert shares(site) == [2, 2, 2, 2, 4] or max(shares(site)) - min(shares(site)) <= 2


def test_a_process_that_is_silent_for_three_beats_gives_its_share_back(site, member, clock):
    first, second = member(), member()
    first.beat()
    second.beat()

    clock.now += timedelta(seconds=3001)
    first.beat()

    assert (first.budget.limit, shares(site)) == (12, [12])


def test_what_is_lent_is_kept_and_counted_when_the_share_shrinks(site, member):

    first = member(per_tenant=12)
    leases = [first.budget.acquire(Shelf("a")) for _ in range(9)]
    second = member()

    first.beat()
    second.beat()
    while_lent = (shares(site), first.budget.open_count, second.budget.limit)
    for lease in leases[:4]:
        first.budget.forfeit(lease)
    first.beat()
    second.beat()

    assert while_lent == ([3, 9], 9, 3)
    assert shares(site) == [6, 6]


def test_a_process_that_leaves_gives_its_share_back_at_once(site, member):
    first, second = member(), member()
    first.beat()
    second.stop()

    assert first.beat() == 12


def test_shares_by_setting_are_rounded_down_and_at_least_one():
    assert [PoolLimits(per_server=10, shared_by=count).share for count in (1, 3, 11)] == [10, 3, 1]
    with pytest.raises(ValueError, match="either"):
        PoolLimits(shared_by=2, beat_s=1)


def test_a_killed_process_loses_its_share_to_the_living(postgres_site):
    site = postgres_site
    tenancy = site.tenancy(pools=PoolLimits(per_server=12, beat_s=0.05, wait_s=20))
    site.make(tenancy, "a")
    heart = tenancy._heart
    child = subprocess.Popen([sys.executable, "-c", CHILD, site.catalog_url], stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"alive\n"
    while heart.beat() != 6:
        pass
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    while heart.beat() != 12:
        pass

    with tenancy.use("a"), tenancy.session() as session:
        assert session.scalar(text("SELECT 1")) == 1
    assert tenancy.connections()[0].limit == 12


def test_a_process_without_a_share_says_so(site, member):
    member(per_server=1)
    late = member(per_server=1, wait_s=0)

    with pytest.raises(errors.BudgetExhausted, match="0 per server"):
        late.budget.acquire(Shelf("a"))
