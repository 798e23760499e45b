"""Publishing can be stopped anywhere and goes on; what is archived is off sale and goes on renewing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.orm import Session

from roomtone_billing import Billing, Interval, Phase, Price, SubscriptionStarted
from roomtone_billing.errors import GatewayUnavailable, NotOnSale, PriceInUse


def with_catalogue(host, **changes) -> Billing:
    catalogue = replace(host.billing.catalogue, **changes)
    return Billing(host.engine, catalogue=catalogue, gateway=host.gateway, clock=host.clock)


def things(host) -> list[tuple[str, str]]:
    products = [("product", one.id) for one in host.stripe.api.products.list({"limit": 100}).data]
    return sorted(products + [("price", one.lookup_key) for one in host.stripe.api.prices.list({"limit": 100}).data])


class Killed(BaseException):
    """The process is gone: nothing catches it."""


def die_after(host, steps: int) -> None:
    """Let the process be killed once so many writes have reached Stripe."""
    done = []

    def dying(write):
        def call(**asked):
            write(**asked)
            done.append(asked)
            if len(done) == steps:
                raise Killed

        return call

    host.gateway.put_product, host.gateway.create_price = dying(host.gateway.put_product), dying(host.gateway.create_price)


@pytest.mark.parametrize("steps", range(1, 11))
def test_killed_after_any_step_it_goes_on_and_makes_everything_once(host, steps):
    die_after(host, steps)
    with pytest.raises(Killed):
        host.billing.publish()
    rest = host.billing.publish()

    assert len(rest) == 10 - steps
    assert host.billing.publish() == []
    assert len(things(host)) == len(set(things(host))) == 10


def test_a_lost_answer_makes_nothing_twice(host):
    host.stripe.break_down(operation="post /v1/prices")  # it is made, and the answer is lost
    with pytest.raises(GatewayUnavailable):
        host.billing.publish()
    host.billing.publish()

    assert len(things(host)) == len(set(things(host))) == 10


def test_nothing_at_all_is_changed_when_one_price_is_in_use(host):
    host.stripe.subscribe(host.customer(), plan="pro")
    starter, pro = host.billing.catalogue.plans
    billing = with_catalogue(host, plans=(replace(starter, name="Start"), replace(pro, prices=(Price(Interval.month, 1), *pro.prices[1:]))))
    with pytest.raises(PriceInUse) as refused:
        billing.publish()

    assert refused.value.lookup_keys == ("pro_month",)
    assert host.billing.publication() == ()


def test_an_archived_plan_is_sold_to_nobody_and_kept_by_those_who_have_it(host):
    customer = host.customer()
    subscription = host.stripe.subscribe(customer, plan="starter")
    starter, pro = host.billing.catalogue.plans
    packs = (replace(host.billing.catalogue.packs[0], is_archived=True),)
    billing = with_catalogue(host, plans=(replace(starter, is_archived=True), pro), packs=packs)
    billing.publish()
    host.stripe.renew(subscription)
    access = billing.account("a").sync()
    billing.on(SubscriptionStarted)(lambda session, event: host.told.append(event))
    pages = {"success_url": "http://s", "cancel_url": "http://c"}

    assert (access.phase, access.plan_key) == (Phase.active, "starter")
    with pytest.raises(NotOnSale):
        billing.account("a").checkout(plan="starter", interval=Interval.month, **pages)
    with pytest.raises(NotOnSale):
        billing.account("a").buy("credits-100", **pages)
    with Session(host.engine) as session, pytest.raises(NotOnSale):
        billing.start_trial(session, "b", plan="starter", interval=Interval.month, email="b@example.org", name="B")
