"""What an account may use: one query cold, none when cached, never allowed on a guess; exceptions with who and why."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session

from roomtone_billing import Billing, Interval, Source
from roomtone_billing.errors import EntitlementsUnavailable, KeyReused, NotEntitled, UnknownAccount, UnknownFeature, UnknownOverride
from roomtone_billing.models import AccountRow
from roomtone_billing.snapshot import Snapshot
from roomtone_billing.sync import CUSTOMERS, write

TTL = timedelta(seconds=5)


@contextmanager
def queries(engine):
    seen: list[str] = []

    def note(connection, cursor, statement, *_):
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def account(host):
    host.start_trial()
    return host.billing.account("a")


@pytest.fixture
def elsewhere(host):
    """The same account in another process."""
    return Billing(host.engine, catalogue=host.billing.catalogue, gateway=host.gateway, clock=host.clock).account("a")


def test_a_decision_is_one_query_cold_and_none_when_cached(host, account):
    account.entitlements.override("rooms", 9, reason="r", actor="ada")
    with account.entitlements.hold("rooms", key="h"):
        account.entitlements.consume("ai_credits", key="k")
        with queries(host.engine) as seen:
            cold = [account.check("rooms"), len(seen)]
            cached = [account.check("rooms"), len(seen)]

    assert cold == cached
    assert cold[1] == 1
    assert (cold[0].limit, cold[0].used) == (9, 1)


def test_a_suspension_that_somebody_decided_stops_all_use_and_lifting_it_gives_it_back(host, account, elsewhere):
    before = account.check("rooms").allowed
    account.suspend(reason="abuse")
    stopped = account.check("rooms")
    with pytest.raises(NotEntitled):
        account.entitlements.consume("rooms", key="k")
    host.clock.move(seconds=6)
    seen_elsewhere = elsewhere.check("rooms")
    account.lift_suspension(reason="settled")

    assert (before, stopped.allowed, stopped.source, seen_elsewhere.allowed) == (True, False, Source.suspension, False)
    assert account.check("rooms").allowed


def test_a_trial_gives_what_its_plan_includes_until_it_ends(host, account):
    said = account.check("ai_credits", 50)

    assert (said.allowed, said.limit, said.remaining, said.source) == (True, 50, 50, Source.trial)
    assert said.until == host.clock() + timedelta(days=14)
    assert not account.check("own_domain").allowed
    assert not account.check("ai_credits", 51).allowed


def test_an_account_nobody_opened_may_use_nothing(host):
    said = host.billing.account("x").check("rooms")

    assert (said.allowed, said.limit, said.source) == (False, 0, Source.plan)


def test_a_feature_that_no_plan_names_is_an_error_and_never_a_decision(host, account):
    account.check("rooms")
    for ask in (account, host.billing.account("x")):
        with pytest.raises(UnknownFeature):
            ask.check("room")
    with pytest.raises(UnknownFeature):
        account.entitlements.override("room", 1, reason="r", actor="ada")
    with pytest.raises(UnknownFeature):
        account.entitlements.consume("room", key="k")


def test_what_another_process_writes_is_seen_after_the_bound_at_the_latest(host, account, elsewhere):
    before = account.check("rooms").limit
    elsewhere.entitlements.override("rooms", 9, reason="r", actor="ada")
    within = account.check("rooms").limit
    host.clock.move(seconds=TTL.total_seconds())

    assert (before, within, account.check("rooms").limit) == (2, 2, 9)


def test_a_snapshot_written_here_counts_at_once(host):
    customer = host.customer()
    account = host.billing.account("a")
    assert not account.check("own_domain").allowed
    host.stripe.subscribe(customer, plan="pro")
    account.sync()

    assert account.check("own_domain").source is Source.plan


def test_a_write_during_the_reading_is_not_covered_by_what_was_read(host):
    customer = host.customer()
    account = host.billing.account("a")
    ticket = CUSTOMERS.draw(host.engine, "a", now=host.clock())
    written = []

    @event.listens_for(host.engine, "before_cursor_execute")
    def meanwhile(connection, cursor, statement, *_):
        if "billing_override" in statement and not written:
            written.append(True)
            write(host.engine, ticket, Snapshot(customer=customer), rules=host.billing._rules, now=host.clock())

    account.check("rooms")
    event.remove(host.engine, "before_cursor_execute", meanwhile)
    with queries(host.engine) as seen:
        account.check("rooms")

    assert len(seen) == 1


def test_when_the_database_is_gone_the_cache_answers_within_its_bound_and_then_nothing_does(host, account, tmp_path):
    nowhere = create_engine(f"sqlite:///{tmp_path}/no/such/folder/billing.db")
    billing = Billing(nowhere, catalogue=host.billing.catalogue, gateway=host.gateway, clock=host.clock)
    billing._facts = host.billing._facts
    account.check("rooms")
    host.clock.move(seconds=TTL.total_seconds() - 1)
    remembered = billing.account("a").check("rooms")
    host.clock.move(seconds=1)

    assert remembered.allowed
    with pytest.raises(EntitlementsUnavailable, match="refuse"):
        billing.account("a").check("rooms")
    nowhere.dispose()


def test_an_exception_is_made_listed_and_taken_back_with_who_and_why(host, account):
    made = account.entitlements.override(
        "rooms", 9, reason="migrates from another tool", actor="ada", until=host.clock() + timedelta(days=30)
    )
    during = account.check("rooms")
    host.clock.move(days=1)
    account.entitlements.revoke(made.id, actor="bo")
    account.entitlements.revoke(made.id, actor="cy")
    after = account.check("rooms")
    record = account.entitlements.overrides()

    assert (during.limit, during.source, after.limit, after.source) == (9, Source.override, 2, Source.trial)
    assert [(one.actor, one.reason, one.revoked_by, one.revoked_at) for one in record] == [
        ("ada", "migrates from another tool", "bo", host.clock())
    ]


def test_an_exception_ends_by_itself(host, account):
    account.entitlements.override("own_domain", None, reason="r", actor="ada", until=host.clock() + timedelta(days=1))
    before = account.check("own_domain").allowed
    host.clock.move(days=1)

    assert (before, account.check("own_domain").allowed) == (True, False)


def test_one_key_makes_one_exception_and_another_exception_needs_another_key(account):
    for _ in range(2):
        account.entitlements.credit("ai_credits", 100, reason="r", actor="ada", key="pack:1")
    with pytest.raises(KeyReused, match="pack:1"):
        account.entitlements.credit("ai_credits", 200, reason="r", actor="ada", key="pack:1")

    assert account.check("ai_credits", 150).allowed
    assert not account.check("ai_credits", 151).allowed


def test_an_exception_of_another_account_cannot_be_taken_back(host, account):
    host.start_trial("b")
    made = account.entitlements.override("rooms", 9, reason="r", actor="ada")
    with pytest.raises(UnknownOverride):
        host.billing.account("b").entitlements.revoke(made.id, actor="b")

    assert account.check("rooms").limit == 9


def test_nothing_is_granted_to_nobody_or_of_nothing(host, account):
    with pytest.raises(UnknownAccount):
        host.billing.account("x").entitlements.override("rooms", 9, reason="r", actor="ada")
    with pytest.raises(ValueError, match="less than none"):
        account.entitlements.override("rooms", -1, reason="r", actor="ada")
    with pytest.raises(ValueError, match="grants nothing"):
        account.entitlements.credit("rooms", 0, reason="r", actor="ada")

    assert account.entitlements.overrides() == []


def test_nothing_may_be_used_once_the_account_is_read_only(host, account):
    account.entitlements.override("rooms", None, reason="r", actor="ada")
    host.clock.move(days=14)
    said = account.check("rooms")

    assert (said.allowed, said.source) == (False, Source.suspension)
    assert said.until == host.clock() + timedelta(days=7)


def test_a_yearly_plan_counts_by_the_month(host):
    customer = host.customer()
    account = host.billing.account("a")
    host.stripe.subscribe(customer, plan="starter", interval=Interval.year)
    account.sync()
    account.entitlements.consume("ai_credits", 50, key="all")
    used_up = account.check("ai_credits").allowed
    host.clock.move(days=31)

    assert (used_up, account.check("ai_credits", 50).allowed) == (False, True)


def test_a_page_draws_what_is_used_of_everything(host, account):
    account.entitlements.consume("ai_credits", 7, key="k")
    with account.entitlements.hold("rooms", key="h"):
        drawn = {one.feature: (one.used, one.held, one.limit, one.remaining) for one in account.entitlements.usage()}

    assert drawn == {"ai_credits": (7, 0, 50, 43), "own_domain": (0, 0, 0, 0), "rooms": (1, 1, 2, 1)}


def test_erasing_the_account_erases_what_it_used(host, account):
    account.entitlements.consume("ai_credits", 7, key="k")
    if host.engine.dialect.name == "sqlite":
        event.listen(host.engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys=ON"))
        host.engine.dispose()
    with Session(host.engine) as session, session.begin():
        session.delete(session.get_one(AccountRow, "a"))
    host.start_trial()

    assert host.billing.account("a").check("ai_credits", 50).allowed
