"""Counters and holds: once for a key, never beyond the limit, however many ask at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from roomtone_billing import Source
from roomtone_billing.errors import KeyReused, NotEntitled, UnknownAccount
from roomtone_billing.models import HoldRow, UseRow
from roomtone_billing.use import REMEMBERED, take


@pytest.fixture
def account(host):
    host.start_trial()
    return host.billing.account("a")


def fits(use) -> bool:
    try:
        use()
    except NotEntitled:
        return False
    return True


def die_holding(host, account, feature: str, units: int) -> None:
    """Hold for five minutes, and end before giving anything back."""
    lasting, decide = timedelta(minutes=5), account.entitlements._decide
    take(host.engine, "a", feature, units, key="dead", lasting=lasting, decide=decide, now=host.clock())


def test_fifty_at_once_never_pass_the_limit(host, account):
    account.entitlements.consume("ai_credits", 30, key="before")
    together = Barrier(10)

    def go(worker: int) -> int:
        together.wait()
        return sum(fits(lambda at=at: account.entitlements.consume("ai_credits", key=f"{worker}-{at}")) for at in range(5))

    with ThreadPoolExecutor(10) as pool:
        allowed = sum(pool.map(go, range(10)))

    assert allowed == 20
    assert account.check("ai_credits").used == 50


def test_one_key_at_once_from_many_counts_once(account):
    together = Barrier(8)

    def go(_: int) -> bool:
        together.wait()
        return account.entitlements.consume("ai_credits", 10, key="job-7").allowed

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(go, range(8)))
    assert account.check("ai_credits").used == 10


def test_a_repetition_is_allowed_also_when_nothing_is_left(account):
    account.entitlements.consume("ai_credits", 50, key="all")

    assert account.entitlements.consume("ai_credits", 50, key="all").allowed
    assert account.check("ai_credits").used == 50


def test_a_refusal_counts_nothing_says_why_and_leaves_its_key_free(account):
    account.entitlements.consume("ai_credits", 49, key="most")
    with pytest.raises(NotEntitled) as refused:
        account.entitlements.consume("ai_credits", 2, key="more")
    account.entitlements.credit("ai_credits", 1, reason="r", actor="ada")

    assert refused.value.decision.remaining == 1
    assert "49 are used, so 2 more do not fit" in str(refused.value)
    assert account.entitlements.consume("ai_credits", 2, key="more").source is Source.credit


def test_a_key_stands_for_one_use(account):
    account.entitlements.consume("ai_credits", 1, key="k")
    with pytest.raises(KeyReused, match="stands for 1 of ai_credits, not for 2 of ai_credits"):
        account.entitlements.consume("ai_credits", 2, key="k")


def test_credits_are_used_after_the_plan_soonest_to_end_first_and_not_given_anew(host, account):
    late = account.entitlements.credit("ai_credits", 10, reason="r", actor="ada")
    soon = account.entitlements.credit("ai_credits", 10, reason="r", actor="ada", until=host.clock() + timedelta(days=3))
    account.entitlements.consume("ai_credits", 55, key="a")
    left = {one.id: one.units for one in account.entitlements.overrides()}
    account.entitlements.consume("ai_credits", 10, key="b")

    assert left == {late.id: 10, soon.id: 5}
    assert {one.id: one.units for one in account.entitlements.overrides()} == {late.id: 5, soon.id: 0}
    assert account.check("ai_credits").remaining == 5


def test_use_without_a_limit_is_counted_all_the_same(account):
    account.entitlements.override("rooms", None, reason="r", actor="ada")
    account.entitlements.consume("rooms", 1000, key="k")

    assert account.check("rooms").used == 1000


def test_nobody_uses_anything(host):
    with pytest.raises(UnknownAccount):
        host.billing.account("x").entitlements.consume("rooms", key="k")


def test_what_runs_at_once_is_bounded_and_free_when_it_is_over(account):
    hold = account.entitlements.hold
    with hold("rooms", key="1"), hold("rooms", key="2"), pytest.raises(NotEntitled), hold("rooms", key="3"):
        pass

    assert account.check("rooms", 2).allowed


def test_holds_taken_at_once_never_pass_the_limit(host, account):
    together, over = Barrier(6), Barrier(6)

    def go(worker: int) -> bool:
        together.wait()
        try:
            with account.entitlements.hold("rooms", key=str(worker)):
                over.wait()
                return True
        except NotEntitled:
            over.wait()
            return False

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(go, range(6))) == 2


def test_a_hold_whose_process_died_is_free_when_its_time_is_over(host, account):
    die_holding(host, account, "rooms", 2)
    before = account.check("rooms").allowed
    host.clock.move(minutes=5)

    assert (before, account.check("rooms").allowed) == (False, True)


def test_the_same_key_holds_once_and_longer(host, account):
    with account.entitlements.hold("rooms", 2, key="job", lasting=timedelta(minutes=5)):
        host.clock.move(minutes=4)
        with account.entitlements.hold("rooms", 2, key="job", lasting=timedelta(minutes=5)) as again:
            assert again.until == host.clock() + timedelta(minutes=5)
        with (
            pytest.raises(KeyReused),
            account.entitlements.hold("rooms", 2, key="other"),
            account.entitlements.hold("rooms", 1, key="other"),
        ):
            pass


def test_keys_and_holds_are_forgotten_after_their_time(host, account):
    account.entitlements.consume("rooms", key="old")
    die_holding(host, account, "ai_credits", 2)
    host.clock.move(seconds=REMEMBERED.total_seconds())
    host.billing.sweep()

    with Session(host.engine) as session:
        assert session.scalar(select(func.count()).select_from(UseRow)) == 0
        assert session.scalar(select(func.count()).select_from(HoldRow)) == 0
