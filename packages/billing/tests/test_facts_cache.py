"""Facts are kept for a moment, for few accounts, and never across a write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from roomtone_billing.decision import Decision, Source
from roomtone_billing.entitlement import Facts
from roomtone_billing.facts_cache import DECISIONS_MAX, FactsCache, Kept

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TTL = timedelta(seconds=5)


def kept(account: str, read_at: datetime = NOW) -> Kept:
    return Kept(facts=Facts(account=account), read_at=read_at)


def keep(cache: FactsCache, account: str, read_at: datetime = NOW) -> None:
    cache.end(account, cache.begin(account), kept(account, read_at))


def test_what_is_as_old_as_the_bound_is_not_given_out():
    cache = FactsCache(size_max=9, ttl=TTL)
    keep(cache, "a")

    assert cache.get("a", NOW + TTL - timedelta(microseconds=1)) is not None
    assert cache.get("a", NOW + TTL) is None
    assert cache.get("a", NOW - timedelta(seconds=1)) is None


def test_facts_read_while_the_account_was_written_are_not_kept():
    cache = FactsCache(size_max=9, ttl=TTL)
    loading = cache.begin("a")
    cache.forget("a")
    cache.end("a", loading, kept("a"))

    assert cache.get("a", NOW) is None


def test_of_two_readings_at_once_the_later_begun_is_kept():
    cache = FactsCache(size_max=9, ttl=TTL)
    earlier, later = cache.begin("a"), cache.begin("a")
    newest = kept("a")
    cache.end("a", later, newest)
    cache.end("a", earlier, kept("a"))

    assert cache.get("a", NOW) is newest


def test_it_holds_the_accounts_asked_for_last():
    cache = FactsCache(size_max=2, ttl=TTL)
    keep(cache, "a")
    keep(cache, "b")
    cache.get("a", NOW)
    keep(cache, "c")

    assert [cache.get(one, NOW) is not None for one in "abc"] == [True, False, True]


def test_a_decision_is_kept_until_the_moment_it_names_and_no_longer():
    one = kept("a")
    said = Decision(
        account="a", feature="f", amount=1, allowed=True, limit=1, used=0, remaining=1, source=Source.plan, reason="", until=NOW + TTL
    )
    one.keep(said, NOW)

    assert one.decision("f", 1, NOW) is said
    assert one.decision("f", 2, NOW) is None
    assert one.decision("f", 1, NOW + TTL) is None
    assert one.decision("f", 1, NOW - TTL) is None


def test_amounts_without_end_do_not_fill_the_memory():
    one = kept("a")
    for amount in range(1, DECISIONS_MAX + 9):
        one.keep(
            Decision(
                account="a",
                feature="f",
                amount=amount,
                allowed=True,
                limit=None,
                used=0,
                remaining=None,
                source=Source.plan,
                reason="",
                until=None,
            ),
            NOW,
        )

    assert len(one.decisions) == DECISIONS_MAX
