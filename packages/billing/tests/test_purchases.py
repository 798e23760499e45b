"""What was bought and paid back is told once, in whatever steps the truth was seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from roomtone_billing.events import PackBought, PackRefunded
from roomtone_billing.purchases import announce
from roomtone_billing.snapshot import Payment, Purchase, Snapshot

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def truth(*, units: int = 300, amount: int = 500, refunded: int = 0, is_paid: bool = True) -> Snapshot:
    bought = Purchase(
        id="cs_1", pack="p", grants={"credits": units}, amount_minor=amount, currency="EUR", is_paid=is_paid, created_at=T0, payment="pi_1"
    )
    money = Payment(id="pi_1", amount_minor=amount, currency="EUR", refunded_minor=refunded)
    return Snapshot(customer="c", purchases=(bought,), payments=(money,) if is_paid else ())


def run(*seen: Snapshot) -> list[PackBought | PackRefunded]:
    told, events = {}, []
    for one in seen:
        told, more = announce(told, one, account="a", now=T0)
        events += more
    return events


def test_a_pack_is_told_of_once_when_it_is_paid():
    events = run(truth(is_paid=False), truth(), truth(), Snapshot(customer="c", is_deleted=True), truth())

    assert [(type(one), one.key, one.grants, one.amount_minor) for one in events] == [(PackBought, "bought:cs_1", {"credits": 300}, 500)]


def test_a_refund_takes_back_its_share_and_the_last_one_the_rest():
    events = run(truth(), truth(refunded=200), truth(refunded=200), truth(refunded=500))

    assert [(one.key, one.grants, one.amount_minor, one.is_full) for one in events[1:]] == [
        ("refunded:cs_1:200", {"credits": 120}, 200, False),
        ("refunded:cs_1:500", {"credits": 180}, 300, True),
    ]
    assert {one.bought_key for one in events[1:]} == {events[0].key}


def test_a_pack_refunded_before_anybody_saw_it_is_told_of_first():
    assert [type(one) for one in run(truth(refunded=500))] == [PackBought, PackRefunded]


def test_a_refund_that_comes_back_from_the_bank_is_not_told_of():
    assert len(run(truth(), truth(refunded=200), truth(refunded=0), truth(refunded=200))) == 2


def test_the_older_of_two_packs_is_told_of_first():
    older, newer = (
        truth().purchases[0],
        Purchase(
            id="cs_0", pack="q", grants={"credits": 1}, amount_minor=0, currency="EUR", is_paid=True, created_at=T0 + timedelta(days=1)
        ),
    )

    assert [one.purchase for one in run(Snapshot(customer="c", purchases=(newer, older)))] == ["cs_1", "cs_0"]


@given(st.integers(1, 10**6), st.lists(st.integers(0, 500), max_size=8).map(sorted))
def test_all_shares_of_a_full_refund_are_all_that_was_granted(units, steps):
    events = run(*(truth(units=units, refunded=refunded) for refunded in (*steps, 500)))
    back = [one for one in events if isinstance(one, PackRefunded)]

    assert sum(one.grants["credits"] for one in back) == units
    assert sum(one.amount_minor for one in back) == 500
    assert all(one.grants["credits"] >= 0 for one in back)
