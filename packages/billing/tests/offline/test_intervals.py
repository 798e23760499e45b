"""Items of different intervals on one subscription: each renews at its own end, together where the ends meet."""

from datetime import UTC, datetime

import pytest
import stripe

DAY = 86400


def subscribe(sandbox, *prices):
    asked = {"customer": sandbox.customer().id, "items": [{"price": each.id} for each in prices]}
    return sandbox.v1.subscriptions.create(asked)


def totals(sandbox, subscription):
    return [each.total for each in sandbox.v1.invoices.list({"subscription": subscription.id, "limit": 100}).data]


@pytest.fixture
def mixed(sandbox):
    """A quarterly and a monthly price, as in https://docs.stripe.com/billing/subscriptions/mixed-interval"""
    quarter = sandbox.price(10000, recurring={"interval": "month", "interval_count": 3})
    return subscribe(sandbox, quarter, sandbox.price(1500))


def test_the_first_invoice_bears_both_and_each_item_has_its_own_period(mixed, sandbox):
    ends = [datetime.fromtimestamp(each.current_period_end, UTC).strftime("%d %b") for each in mixed["items"].data]

    assert ends == ["30 Apr", "28 Feb"]
    assert totals(sandbox, mixed) == [11500]


def test_invoices_are_apart_where_the_ends_are_and_together_where_they_meet(mixed, sandbox):
    sandbox.offline.advance(90 * DAY)

    assert totals(sandbox, mixed) == [11500, 1500, 1500, 11500]


def test_a_preview_is_of_what_renews_next(mixed, sandbox):
    assert sandbox.v1.invoices.create_preview({"subscription": mixed.id}).total == 1500


def test_a_quantity_is_prorated_over_its_items_own_period(mixed, sandbox):
    quarterly, monthly = mixed["items"].data
    half = (monthly.current_period_end - monthly.current_period_start) // 2
    sandbox.offline.advance(half)
    change = {"items": [{"id": monthly.id, "quantity": 2}], "proration_behavior": "always_invoice"}
    changed = sandbox.v1.subscriptions.update(mixed.id, change)

    assert totals(sandbox, mixed)[0] == 750
    assert changed["items"].data[0].current_period_end == quarterly.current_period_end


@pytest.mark.parametrize(
    ("asked", "end", "count"),
    [
        ({"cancel_at_period_end": True}, 1, 1),
        ({"cancel_at": "min_period_end"}, 1, 1),
        ({"cancel_at": "max_period_end"}, 0, 3),
    ],
)
def test_it_ends_with_the_first_or_the_last_period(mixed, sandbox, asked, end, count):
    end_at = mixed["items"].data[end].current_period_end
    updated = sandbox.v1.subscriptions.update(mixed.id, asked)
    sandbox.offline.advance(120 * DAY)
    ended = sandbox.v1.subscriptions.retrieve(mixed.id)

    assert (updated.cancel_at, ended.ended_at, ended.status) == (end_at, end_at, "canceled")
    assert len(totals(sandbox, mixed)) == count


def test_a_change_of_one_interval_among_several_is_not_guessed(mixed, sandbox):
    change = {"items": [{"id": mixed["items"].data[1].id, "price": sandbox.price(9000, interval="year").id}]}
    with pytest.raises(stripe.APIError, match="another interval"):
        sandbox.v1.subscriptions.update(mixed.id, change)

    assert totals(sandbox, mixed) == [11500]


def test_a_trial_ends_for_all_items_and_then_each_goes_its_way(sandbox):
    prices = [sandbox.price(10000, interval="year"), sandbox.price(1500)]
    asked = {"customer": sandbox.customer().id, "items": [{"price": each.id} for each in prices], "trial_period_days": 10}
    subscription = sandbox.v1.subscriptions.create(asked)
    sandbox.offline.advance(11 * DAY + 31 * DAY)

    assert totals(sandbox, subscription) == [1500, 11500, 0]
