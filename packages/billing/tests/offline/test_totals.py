"""Discounts and taxes as arithmetic: parts add up, nothing is taken twice, nothing below zero."""

import doctest
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomtone_billing.offline import totals
from roomtone_billing.offline.totals import Cut, Position, Rate, allocate, taxes, work_out

AMOUNTS = st.integers(-50_000, 500_000)
POSITIONS = st.lists(st.builds(Position, amount=AMOUNTS, is_discountable=st.booleans()), min_size=1, max_size=6)
PERCENTS = st.decimals(0, 100, places=2)
CUTS = st.lists(
    st.one_of(
        st.builds(Cut, discount=st.just("p"), percent=PERCENTS), st.builds(Cut, discount=st.just("a"), amount=st.integers(1, 600_000))
    ),
    max_size=3,
)


@given(POSITIONS, CUTS)
def test_discounts_take_at_most_what_a_line_costs(positions, cuts):
    for position, worked in zip(positions, work_out(positions, cuts), strict=True):
        assert all(each >= 0 for each in worked.discounts)
        assert sum(worked.discounts) <= max(0, position.amount)
        assert worked.taxable == position.amount - sum(worked.discounts)
        assert position.is_discountable or not any(worked.discounts)


@given(POSITIONS, st.integers(1, 600_000))
def test_an_amount_off_is_taken_whole_or_down_to_nothing(positions, amount):
    taken = sum(sum(each.discounts) for each in work_out(positions, [Cut(discount="a", amount=amount)]))

    assert taken == min(amount, sum(max(0, each.amount) for each in positions if each.is_discountable))


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=9))
def test_allocated_parts_add_up_and_are_fair(whole, weights):
    parts = allocate(whole, weights)

    assert sum(parts) == (whole if sum(weights) else 0)
    assert all(
        abs(part * sum(weights) - whole * weight) < sum(weights) for part, weight in zip(parts, weights, strict=True) if sum(weights)
    )


@given(AMOUNTS, PERCENTS)
def test_a_tax_inside_and_on_top_of_the_net_are_the_same(amount, percent):
    (inside,) = taxes(amount, [Rate(tax_rate="t", percent=percent, is_inclusive=True)])
    (on_top,) = taxes(amount - inside, [Rate(tax_rate="t", percent=percent, is_inclusive=False)])

    assert abs(inside - on_top) <= 1


@given(AMOUNTS, PERCENTS)
def test_a_credit_bears_the_tax_that_its_debit_bore(amount, percent):
    rates = [Rate(tax_rate="t", percent=percent, is_inclusive=False)]

    assert taxes(-amount, rates) == tuple(-each for each in taxes(amount, rates))


def test_two_taxes_inside_one_amount_are_taken_out_together():
    rates = [Rate(tax_rate=name, percent=Decimal(percent), is_inclusive=True) for name, percent in (("a", 5), ("b", 10))]

    assert taxes(11500, rates) == (500, 1000)


def test_a_coupon_for_one_product_leaves_the_others():
    positions = [Position(amount=1000, product="a"), Position(amount=1000, product="b")]
    worked = work_out(positions, [Cut(discount="d", percent=Decimal(50), products=frozenset({"b"}))])

    assert [each.discounts for each in worked] == [(0,), (500,)]


def test_the_examples_run():
    assert doctest.testmod(totals).failed == 0


@pytest.mark.parametrize(("value", "expected"), [("0.5", 1), ("-0.5", -1), ("0.49", 0), ("1.5", 2)])
def test_halves_go_away_from_zero(value, expected):
    assert totals.rounded(Decimal(value)) == expected
