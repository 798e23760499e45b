"""Metered use reaches Stripe's meters exactly once, or a person."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from roomtone_billing import Billing
from roomtone_billing.errors import KeyReused, OutsideMeterWindow, UnknownAccount, UnknownEvent, UnknownMeter
from roomtone_billing.models import MeteredRow

DAY = timedelta(days=1)


@pytest.fixture
def metered(host):
    """A host that sells minutes, and a meter at Stripe that counts them."""
    host.billing = Billing(
        host.engine, catalogue=replace(host.billing.catalogue, meters=("minutes",)), gateway=host.gateway, clock=host.clock
    )
    host.stripe.api.billing.meters.create({"display_name": "Minutes", "event_name": "minutes", "default_aggregation": {"formula": "sum"}})
    return host


def use(host, units: int = 5, *, key: str = "recording:1", meter: str = "minutes", account: str = "a", at=None) -> bool:
    with Session(host.engine) as session, session.begin():
        return host.billing.metering.record(session, account, meter, units, key=key, at=at)


def counted(host, customer: str) -> float:
    meter = host.stripe.api.billing.meters.list().data[0].id
    end = int(host.clock().timestamp()) // 60 * 60 + 60
    asked = {"customer": customer, "start_time": end - 40 * 86400 // 60 * 60, "end_time": end}
    return host.stripe.api.billing.meters.event_summaries.list(meter, asked).data[0].aggregated_value


def row(host) -> MeteredRow:
    with Session(host.engine) as session:
        return session.scalars(select(MeteredRow)).one()


def test_a_use_is_counted_once_however_often_it_is_written_down_and_sent(metered):
    customer = metered.customer()
    is_new = [use(metered), use(metered)]
    for _ in range(3):
        metered.drain()

    assert is_new == [True, False]
    assert counted(metered, customer) == 5
    report = metered.billing.metering.report()[0]
    assert (report.meter, report.pending, report.sent, report.dead, report.units_sent) == ("minutes", 0, 1, 0, 5)


def test_workers_at_once_count_each_use_once(metered):
    customer = metered.customer()
    for at in range(12):
        use(metered, 1, key=str(at))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: metered.billing.metering.send(5), range(8)))
    metered.drain()

    assert counted(metered, customer) == 12


def test_an_answer_that_was_lost_counts_once(metered):
    customer = metered.customer()
    use(metered)
    metered.stripe.offline.fail_next("timeout", operation="post /v1/billing/meter_events")  # it is counted, and the answer is lost
    metered.billing.metering.send()
    metered.clock.move(minutes=1)
    metered.billing.metering.send()

    assert counted(metered, customer) == 5
    assert row(metered).state == "sent"


def test_a_use_in_doubt_for_a_day_is_not_sent_again_before_a_person_has_looked(metered):
    customer = metered.customer()
    use(metered)
    metered.stripe.offline.fail_next("timeout", operation="post /v1/billing/meter_events")
    metered.billing.metering.send()
    metered.clock.move(days=1)
    metered.billing.metering.send()

    assert counted(metered, customer) == 5
    assert (row(metered).state, "look, then retry" in row(metered).error) == ("dead", True)


def test_a_worker_that_died_after_claiming_leaves_its_uses_to_the_next(metered):
    customer = metered.customer()
    use(metered)
    metered.billing.metering._claim(100)
    at_once = metered.billing.metering.send()
    metered.clock.move(minutes=5)

    assert (at_once, metered.billing.metering.send()) == (0, 1)
    assert counted(metered, customer) == 5


def test_when_stripe_asks_for_a_pause_the_whole_batch_waits(metered):
    customer = metered.customer()
    for at in range(3):
        use(metered, 1, key=str(at))
    metered.stripe.offline.fail_next("rate_limit", operation="post /v1/billing/meter_events")
    sent = metered.billing.metering.send()
    with Session(metered.engine) as session:
        tried = session.scalars(select(MeteredRow.attempts).order_by(MeteredRow.id)).all()
    metered.clock.move(minutes=1)
    metered.drain()

    assert (sent, tried) == (0, [1, 0, 0])
    assert counted(metered, customer) == 3


def test_a_use_stripe_refuses_is_put_aside_with_its_reason_and_can_be_sent_again(metered):
    customer = metered.customer()
    meter = metered.stripe.api.billing.meters.list().data[0].id
    metered.stripe.api.billing.meters.deactivate(meter)
    use(metered)
    metered.drain()
    dead = row(metered)
    metered.stripe.api.billing.meters.reactivate(meter)
    metered.billing.metering.retry("a", "minutes", "recording:1")
    metered.drain()

    assert (dead.state, "No active meter" in dead.error) == ("dead", True)
    assert counted(metered, customer) == 5
    with pytest.raises(UnknownEvent):
        metered.billing.metering.retry("a", "minutes", "recording:1")


def test_use_waits_for_the_customer_and_dies_of_age(metered):
    metered.start_trial()
    use(metered)
    before = metered.billing.metering.send()
    metered.clock.move(days=36)
    metered.billing.publish()
    metered.billing.account("a").checkout(plan="pro", interval="month", success_url="http://s", cancel_url="http://c")
    metered.billing.metering.send()

    assert before == 0
    assert (row(metered).state, "35 days" in row(metered).error) == ("dead", True)


def test_what_stripe_would_not_count_is_refused_where_it_is_written_down(metered):
    metered.start_trial()
    for at in (metered.clock() - 35 * DAY - timedelta(seconds=1), metered.clock() + timedelta(minutes=6)):
        with pytest.raises(OutsideMeterWindow, match="charge it by hand"):
            use(metered, at=at)
    with pytest.raises(UnknownMeter, match="it has minutes"):
        use(metered, meter="minuets")
    with pytest.raises(UnknownAccount):
        use(metered, account="x")
    with pytest.raises(ValueError, match="nothing to count"):
        use(metered, 0)

    assert use(metered, at=metered.clock() - 35 * DAY)


def test_one_key_is_one_use_and_what_the_host_undoes_was_not_used(metered):
    metered.start_trial()
    with Session(metered.engine) as session:
        metered.billing.metering.record(session, "a", "minutes", 5, key="k")
        session.rollback()
    use(metered, 3, key="k")
    with pytest.raises(KeyReused):
        use(metered, 4, key="k")

    assert row(metered).units == 3


def test_long_keys_make_identifiers_stripe_accepts(metered):
    customer = metered.customer()
    use(metered, 2, key="k" * 200)
    metered.drain()

    assert counted(metered, customer) == 2
