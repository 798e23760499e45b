"""The figures of what waits, for people and for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from roomtone_billing import Billing
from roomtone_billing.metrics import BillingCollector


def test_nothing_waits_when_nothing_came(host):
    backlog = host.billing.upkeep.backlog()

    assert (dict(backlog.inbox), dict(backlog.outbox), backlog.dead) == ({}, {}, 0)
    assert (backlog.inbox_age_s, backlog.outbox_age_s, backlog.sweep_age_s) == (0, 0, 0)


def test_what_waits_is_counted_and_aged(host):
    customer = host.customer()
    host.hear(customer)
    host.billing.receive(*host.event())
    host.clock.move(seconds=90)
    before = host.billing.upkeep.backlog()
    host.stripe.break_down(2)
    host.billing.work()
    failing = host.billing.upkeep.backlog()
    host.clock.move(minutes=5)
    host.drain()
    after = host.billing.upkeep.backlog()

    assert (dict(before.inbox), before.inbox_age_s, before.outbox["pending"], before.outbox_age_s) == ({"pending": 2}, 90, 1, 90)
    assert (failing.dirty, failing.failing, after.dirty, after.failing) == (1, 1, 0, 0)
    assert (after.inbox_age_s, after.outbox_age_s) == (0, 0)


def test_accounts_whose_moment_has_passed_are_overdue_until_swept(host):
    host.start_trial()
    host.drain()
    host.clock.move(days=14, seconds=30)
    before = host.billing.upkeep.backlog()
    host.billing.sweep()

    assert before.overdue == 1
    assert before.sweep_age_s >= 30
    assert host.billing.upkeep.backlog().overdue == 0


def test_prometheus_reads_the_same_figures(host):
    host.billing.receive(*host.event())
    host.clock.move(seconds=7)
    registry = CollectorRegistry()
    registry.register(BillingCollector(host.billing, counts_violations=True))
    text = generate_latest(registry).decode()

    assert 'billing_inbox_events{state="pending"} 1.0' in text
    assert "billing_inbox_age_seconds 7.0" in text
    assert 'billing_violations{invariant="nothing is dead"} 0.0' in text


def test_prometheus_asks_no_database_until_it_is_scraped(host):
    class Away(Billing):
        @property
        def upkeep(self):
            raise AssertionError("nobody scraped")

    away = Away(host.engine, catalogue=host.billing.catalogue, gateway=host.gateway)
    CollectorRegistry().register(BillingCollector(away))
