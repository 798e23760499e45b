"""The truth about a customer: whatever order its events come in, its end is right and told once. Its fence is in test_fence.py."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from roomtone_billing import (
    GracePolicy,
    PeriodRenewed,
    Phase,
    PlanChanged,
    RetryPolicy,
    SubscriptionEnded,
    SubscriptionStarted,
    sync,
)
from roomtone_billing.access import decide
from roomtone_billing.errors import GatewayUnavailable
from roomtone_billing.plans import Interval
from roomtone_billing.snapshot import Snapshot, Status
from roomtone_billing.sync import Rules


def rules(catalogue) -> Rules:
    return Rules(catalogue=catalogue, grace=GracePolicy(), retry=RetryPolicy())


def test_a_failed_redirect_says_so_and_the_worker_makes_up_for_it(host):
    customer = host.customer()
    host.stripe.subscribe(customer, plan="pro")
    host.stripe.break_down()
    with pytest.raises(GatewayUnavailable):
        host.billing.account("a").sync()
    host.clock.move(seconds=5)
    host.drain()

    assert host.billing.account("a").access().phase is Phase.active


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_every_order_of_delivery_of_a_whole_story_ends_in_its_end(host, order):
    customer = host.customer()
    subscription = host.stripe.subscribe(customer, plan="pro", interval=Interval.month, is_paid=False)
    story = host.stripe.events(customer)
    for step in (host.stripe.pay, partial(host.stripe.renew, is_paid=False), host.stripe.cancel):
        step(subscription)
        story += host.stripe.events(customer)
    for place, at in enumerate(order):
        host.billing.receive(*host.signed(story[at]))
        host.billing.receive(*host.signed(story[order[0]]))
        if place % 2:
            host.drain()

    assert host.billing.account("a").access().phase is Phase.read_only
    assert host.keys(SubscriptionStarted) == []


@pytest.mark.parametrize("heard", list(itertools.product([0, 2], repeat=4)))
def test_whatever_is_lost_or_repeated_along_the_story_the_end_is_right_and_told_once(host, heard):
    customer = host.customer()
    subscription = host.stripe.subscribe(customer, plan="pro")
    host.hear(customer, times=heard[0])
    host.drain()
    host.stripe.renew(subscription, is_paid=False)
    host.hear(customer, times=heard[1])
    host.drain()
    host.stripe.pay(subscription)
    host.hear(customer, times=heard[2])
    host.drain()
    host.stripe.cancel(subscription)
    host.hear(customer, times=heard[3])
    host.drain()
    host.billing.account("a").sync()
    host.drain()

    was_seen_paid = bool(heard[0] or heard[2])
    assert host.billing.account("a").access().phase is Phase.read_only
    assert len(host.keys(SubscriptionStarted)) == len(host.keys(SubscriptionEnded)) == was_seen_paid
    assert len(host.keys(PeriodRenewed)) == bool(heard[0] and heard[2])


def test_four_workers_and_a_redirect_at_once_leave_the_last_truth_and_tell_it_once(host):
    customer = host.customer()
    subscription = host.stripe.subscribe(customer, plan="starter")
    lock = threading.Lock()
    honest = host.gateway.fetch

    def fetch(wanted: str) -> Snapshot:
        with lock:
            return honest(wanted)

    host.gateway.fetch = fetch
    plans = itertools.cycle(["pro", "starter"])

    def change(_: int) -> None:
        with lock:
            host.stripe.change_plan(subscription, plan=next(plans), interval=Interval.month)
            (payload,) = host.stripe.events(customer)
        host.billing.receive(*host.signed(payload))
        host.billing.work()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(change, range(20)))
        pool.submit(host.billing.account("a").sync).result()
    host.clock.move(minutes=2)
    host.drain()

    changes = [event for event in host.told if isinstance(event, PlanChanged)]
    assert host.billing.account("a").access().plan_key == "starter"
    assert len(host.keys()) == len(set(host.keys()))
    assert all(one.after == two.before for one, two in itertools.pairwise(changes))
    assert not changes or changes[-1].after == "starter"


class Overlaps(RuleBasedStateMachine):
    """Stripe's truth changes, fetches overlap and die, events are lost and repeated; then the faults stop."""

    host = None
    catalogue = None

    @initialize()
    def begin(self):
        self.count = getattr(type(self), "count", 0) + 1
        type(self).count = self.count
        self.account = f"account{self.count}"
        self.customer = self.host.customer(self.account)
        self.tickets = []
        self.subscription = None
        self.seen = len(self.host.told)

    @rule(plan=st.sampled_from(["starter", "pro"]))
    def subscribe(self, plan):
        if self.subscription is None:
            self.subscription = self.host.stripe.subscribe(self.customer, plan=plan)

    @rule(is_paid=st.booleans())
    def renew(self, is_paid):
        if self.subscription:
            self.host.stripe.renew(self.subscription, is_paid=is_paid)

    @rule()
    def pay(self):
        if self.subscription:
            self.host.stripe.pay(self.subscription)

    @rule(plan=st.sampled_from(["starter", "pro"]))
    def change_plan(self, plan):
        if self.subscription:
            self.host.stripe.change_plan(self.subscription, plan=plan)

    @rule()
    def cancel(self):
        if self.subscription:
            self.host.stripe.cancel(self.subscription)
            self.subscription = None

    @rule(times=st.integers(1, 3))
    def hear(self, times):
        self.host.hear(self.customer, times=times)

    @rule()
    def draw_and_fetch(self):
        ticket = sync.CUSTOMERS.draw(self.host.engine, self.account, now=self.host.clock())
        self.tickets.append((ticket, self.host.gateway.fetch(self.customer)))

    @rule(at=st.integers(0, 5))
    def write_or_die(self, at):
        if at < len(self.tickets):
            ticket, truth = self.tickets.pop(at)
            sync.write(self.host.engine, ticket, truth, rules=rules(self.catalogue), now=self.host.clock())

    @rule()
    def work(self):
        self.host.billing.work()

    @invariant()
    def nothing_is_told_twice(self):
        keys = self.host.keys()
        assert len(keys) == len(set(keys))

    def teardown(self):
        if not hasattr(self, "customer"):
            return
        self.host.hear(self.customer)
        self.host.clock.move(minutes=2)
        self.host.drain()
        truth, now = self.host.gateway.fetch(self.customer), self.host.clock()
        wanted = decide(self.account, trial=None, snapshot=truth, catalogue=self.catalogue, policy=GracePolicy(), now=now)
        access = self.host.billing.account(self.account).access()
        assert access.phase is (wanted.phase if truth.main() else Phase.trialing)
        assert access.is_subscribed == wanted.is_subscribed
        told = [event for event in self.host.told[self.seen :] if event.account == self.account]
        named = [event for event in told if isinstance(event, SubscriptionStarted | PlanChanged | SubscriptionEnded)]
        if access.phase is Phase.active:
            assert (named[-1].after if isinstance(named[-1], PlanChanged) else named[-1].plan_key) == access.plan_key
        elif named and truth.main().status is Status.canceled:
            assert isinstance(named[-1], SubscriptionEnded)


def test_overlaps_deaths_and_losses_end_in_the_truth_once_the_faults_stop(host, catalogue):
    class Here(Overlaps):
        pass

    Here.host, Here.catalogue = host, catalogue
    quick = settings(max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Here, settings=quick)
