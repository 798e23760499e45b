"""The inbox: everything Stripe sends is stored once, everything else is refused, and nobody else's events touch anything."""

from __future__ import annotations

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from roomtone_billing import Billing, Phase, RetryPolicy
from roomtone_billing.envelope import parse
from roomtone_billing.errors import BadSignature, MalformedEvent
from roomtone_billing.inbox import PAYLOAD_BYTES_MAX
from roomtone_billing.models import AccountRow
from roomtone_billing.signature import sign

EVENT = {
    "id": "evt_1",
    "type": "invoice.paid",
    "livemode": False,
    "data": {"object": {"id": "in_1", "object": "invoice", "customer": "cus_1"}},
}


def body(**changes) -> bytes:
    return json.dumps(EVENT | changes).encode()


def thing(**fields) -> bytes:
    return body(data={"object": fields})


@pytest.mark.parametrize(
    ("payload", "customer"),
    [
        (body(), "cus_1"),
        (thing(object="invoice", customer={"id": "cus_2", "object": "customer"}), "cus_2"),
        (thing(object="customer", id="cus_3"), "cus_3"),
        (thing(object="invoice", customer=None), None),
        (thing(object="price", id="price_1"), None),
    ],
)
def test_the_customer_is_found_as_id_as_object_and_as_itself(payload, customer):
    assert parse(payload).customer == customer


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe",
        b"[1]",
        b"NaN",
        b"null",
        b'"evt_1"',
        b"[" * 100_000,
        b'{"id": ' + b"9" * 5000 + b"}",
        body(id=None),
        body(id=7),
        body(id=""),
        body(id="evt\x00"),
        body(id="e" * 256),
        body(type="Invoice Paid"),
        body(type="\ud800"),
        body(livemode="false"),
        body(account=7),
        body(data=None),
        body(data={"object": []}),
        thing(object="invoice", customer=["cus_1"]),
        thing(object="invoice", customer="c" * 256),
        json.dumps(EVENT).replace('"in_1"', "Infinity").encode(),
    ],
)
def test_a_body_that_is_no_event_is_refused(payload):
    with pytest.raises(MalformedEvent):
        parse(payload)


@settings(max_examples=40, deadline=None)
@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_no_json_raises_anything_but_malformed_event(value):
    with contextlib.suppress(MalformedEvent):
        parse(json.dumps(value).encode())


def test_a_forged_event_is_refused_and_leaves_nothing(host):
    with pytest.raises(BadSignature):
        host.billing.receive(body(), sign(body(), secret="whsec_other", at=host.clock()))

    assert host.billing.inbox() == []


def test_a_body_over_the_bound_is_refused_unread(host):
    with pytest.raises(MalformedEvent, match="longer than"):
        host.billing.receive(b" " * (PAYLOAD_BYTES_MAX + 1), None)


def test_fifty_deliveries_at_once_store_one_event(host):
    event = host.event()
    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(lambda _: host.billing.receive(*event), range(50)))

    assert sum(receipt.is_new for receipt in receipts) == 1
    assert len(host.billing.inbox()) == 1


def receive(host, payload: bytes) -> None:
    host.billing.receive(*host.signed(payload))


@pytest.mark.parametrize(
    ("changes", "state"),
    [({"livemode": True}, "ignored"), ({"account": "acct_1"}, "foreign"), ({"account": "acct_1", "livemode": True}, "ignored")],
)
def test_events_of_the_other_mode_and_of_connected_accounts_are_put_aside(host, changes, state):
    ours = {"object": {"id": "in_1", "object": "invoice", "customer": host.customer()}}
    before = host.gateway.fetches
    receive(host, body(data=ours, **changes))
    host.drain()

    assert [view.state for view in host.billing.inbox()] == [state]
    assert host.gateway.fetches == before


def test_the_same_id_of_two_connected_accounts_is_two_events(host):
    for account in ("acct_1", "acct_2", "acct_1"):
        receive(host, body(account=account))

    assert len(host.billing.inbox()) == 2


def test_somebody_elses_customer_is_recorded_and_left_alone(host):
    receive(host, body())
    host.drain()

    assert [(view.state, view.account) for view in host.billing.inbox()] == [("foreign", None)]


def test_a_customer_made_by_a_process_that_died_before_writing_it_down_is_adopted(host):
    host.start_trial()
    host.billing.publish()
    token = _token(host)
    customer = host.gateway.create_customer(account="a", token=token, email="a@example.org", name="A", key="lost")
    host.stripe.subscribe(customer, plan="pro")
    host.hear(customer)
    host.drain()

    assert host.billing.account("a").access().phase is Phase.active


def test_a_customer_that_only_claims_our_account_is_not_adopted(host):
    host.start_trial()
    host.billing.publish()
    customer = host.gateway.create_customer(account="a", token="guess", email="x@example.org", name="X", key="theirs")
    host.stripe.subscribe(customer, plan="pro")
    host.hear(customer)
    host.drain()

    assert host.billing.account("a").access().phase is Phase.trialing
    assert [view.state for view in host.billing.inbox()] == ["foreign"]


def test_a_stranger_is_asked_about_again_after_an_outage_and_put_aside_in_the_end(engine, catalogue, host):
    billing = Billing(engine, catalogue=catalogue, gateway=host.gateway, clock=host.clock, retry=RetryPolicy(attempts_max=2))
    host.hear(host.stripe.stranger())
    host.stripe.break_down(2)
    billing.work()
    states = [billing.inbox()[0].state]
    billing.work()
    states.append(billing.inbox()[0].state)
    host.clock.move(seconds=5)
    billing.work()
    states.append(billing.inbox()[0].state)

    assert states == ["stranger", "stranger", "dead"]
    assert "did not answer in time" in billing.inbox()[0].error


def _token(host) -> str:
    with Session(host.engine) as session:
        return session.scalar(select(AccountRow.token))
