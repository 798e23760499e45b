"""Which of several subscriptions decides, and since when money is owed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from roomtone_billing import snapshot as snapshots
from roomtone_billing.plans import Interval
from roomtone_billing.snapshot import Invoice, Pause, PriceRef, Snapshot, Status, Subscription

T0 = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = st.integers(0, 60).map(lambda days: T0 + timedelta(days=days))


def subscription(name="sub_1", status=Status.active, created_at=T0, **fields):
    start = fields.pop("period_start", created_at)
    return Subscription(
        id=name,
        status=status,
        created_at=created_at,
        price=PriceRef(id="price_1", lookup_key="starter_month", plan="starter", interval=Interval.month),
        period_start=start,
        period_end=start + timedelta(days=30),
        **fields,
    )


def invoice(name="in_1", status="open", created_at=T0, **fields):
    values = {"subscription": "sub_1", "reason": "subscription_cycle", "number": None, "amount_minor": 1900, "currency": "EUR"}
    return Invoice(id=name, status=status, created_at=created_at, **(values | fields))


subscriptions = st.lists(
    st.builds(
        subscription,
        name=st.integers(1, 10**6).map(lambda n: f"sub_{n}"),
        status=st.sampled_from(Status),
        created_at=DAYS,
        ended_at=st.none() | DAYS,
        cancel_at=st.none() | DAYS,
        pause=st.none() | st.sampled_from(Pause),
    ),
    max_size=5,
    unique_by=lambda one: one.id,
)


@given(subscriptions, st.randoms(use_true_random=False))
def test_the_order_in_which_stripe_lists_subscriptions_does_not_matter(listed, random):
    shuffled = list(listed)
    random.shuffle(shuffled)

    assert Snapshot(customer="c", subscriptions=tuple(listed)).main() == Snapshot(customer="c", subscriptions=tuple(shuffled)).main()


@given(subscriptions)
def test_a_snapshot_survives_being_stored(listed):
    truth = Snapshot(customer="c", subscriptions=tuple(listed), invoices=(invoice(owed_since=T0),), card="visa •••• 4242")

    assert snapshots.from_json(snapshots.to_json(truth)) == truth


def test_the_status_that_gives_most_access_decides():
    listed = (subscription("sub_1", Status.past_due), subscription("sub_2", Status.active), subscription("sub_3", Status.canceled))

    assert Snapshot(customer="c", subscriptions=listed).main().id == "sub_2"


def test_of_two_active_the_older_decides_and_of_two_ended_the_last_to_end():
    later = T0 + timedelta(days=1)
    active = (subscription("sub_2", created_at=later), subscription("sub_1"))
    ended = (subscription("sub_2", Status.canceled, ended_at=T0), subscription("sub_1", Status.canceled, ended_at=later))

    assert Snapshot(customer="c", subscriptions=active).main().id == "sub_1"
    assert Snapshot(customer="c", subscriptions=ended).main().id == "sub_1"


def test_one_never_paid_for_decides_nothing():
    listed = (subscription("sub_1", Status.incomplete), subscription("sub_2", Status.incomplete_expired))

    assert Snapshot(customer="c", subscriptions=listed).main() is None


def test_money_is_owed_since_the_oldest_unpaid_invoice_of_that_subscription():
    later = T0 + timedelta(days=5)
    owing = (
        invoice("in_1", owed_since=later),
        invoice("in_2", owed_since=T0 + timedelta(days=2)),
        invoice("in_3", status="paid", owed_since=T0),
        invoice("in_4", subscription="sub_9", owed_since=T0),
        invoice("in_5", amount_minor=0, owed_since=T0),
    )
    one = subscription(status=Status.past_due)

    assert Snapshot(customer="c", subscriptions=(one,), invoices=owing).owing_since(one) == T0 + timedelta(days=2)
    assert Snapshot(customer="c", subscriptions=(one,)).owing_since(one) == one.period_start


def test_a_draft_of_this_period_is_still_to_be_paid_and_an_old_debt_is_not_this_periods():
    one = subscription(period_start=T0)
    draft, old = invoice(status="draft"), invoice(created_at=T0 - timedelta(days=1))

    assert Snapshot(customer="c", invoices=(draft,)).owes_for_period(one)
    assert not Snapshot(customer="c", invoices=(old, replace(draft, status="void", reason="manual"))).owes_for_period(one)


def test_a_period_whose_invoice_was_given_up_was_never_paid():
    assert Snapshot(customer="c", invoices=(invoice(status="void"),)).owes_for_period(subscription(period_start=T0))


def test_an_invoice_that_a_change_waits_for_is_no_debt():
    one = subscription(period_start=T0, latest_invoice="in_1", update_until=T0 + timedelta(days=1))

    assert not Snapshot(customer="c", invoices=(invoice(),)).owes_for_period(one)


def test_deleting_a_customer_ends_what_was_not_ended():
    listed = (subscription("sub_1"), subscription("sub_2", Status.canceled, ended_at=T0), subscription("sub_3", Status.incomplete))
    later = T0 + timedelta(days=9)
    after = Snapshot(customer="c", is_deleted=True).after_deletion(listed, later)

    assert [(one.id, one.status, one.ended_at) for one in after.subscriptions] == [
        ("sub_1", Status.canceled, later),
        ("sub_2", Status.canceled, T0),
    ]
