"""What lots are for, when they begin, and the order they are burnt in, through the facade."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roomtone_ai_credits import ModelRate, RateCard, Usage, errors
from roomtone_ai_credits.books import Books
from roomtone_ai_credits.testing import FrozenClock


@pytest.fixture
def give(ledger, account, transaction):
    def give(amount, key, **options):
        with transaction() as session:
            return ledger.grant(session, account, amount=amount, key=key, **options)

    return give


@pytest.fixture
def work(ledger, account):
    count = iter(range(99))

    def work(tokens, *, model="unit", feature=None):
        hold = ledger.hold(account, model=model, estimate=Usage(input_tokens=tokens), key=f"work {next(count)}", feature=feature)
        return ledger.settle(hold.id, Usage(input_tokens=tokens))

    return work


def left(ledger, account):
    return {lot.granted: lot.remaining for lot in ledger.balance(account).lots}


def test_a_restricted_lot_pays_for_its_models_and_features_only(ledger, account, give, work):
    give(10, "one", models=["unit-b*"])
    give(20, "two", features=["chat"])

    with pytest.raises(errors.InsufficientCredits) as refusal:
        work(1)
    work(3, model="unit-big")
    work(4, feature="chat")

    assert (refusal.value.available, ledger.balance(account).available) == (0, 0)
    assert left(ledger, account) == {10: 7, 20: 16}


def test_a_lot_is_not_spent_before_it_begins(ledger, account, give, work, clock):
    give(10, "later", effective_at=clock.now + timedelta(days=1))
    with pytest.raises(errors.InsufficientCredits):
        work(1)

    clock.advance(days=1)

    assert ledger.balance(account).available == 10
    work(10)


def test_a_lot_that_begins_pays_the_debt(ledger, account, give, clock):
    give(10, "later", effective_at=clock.now + timedelta(days=1))
    hold = ledger.hold(account, model="unit", estimate=Usage(), key="work")
    ledger.settle(hold.id, Usage(input_tokens=4))

    clock.advance(days=1)

    balance = ledger.balance(account)
    assert (balance.debt, balance.available) == (0, 6)


def test_a_restricted_lot_pays_no_debt(ledger, account, give):
    hold = ledger.hold(account, model="unit", estimate=Usage(), key="work")
    ledger.settle(hold.id, Usage(input_tokens=4))

    give(10, "chat", features=["chat"])

    assert ledger.balance(account).debt == 4


def test_credit_is_burnt_by_priority_then_expiry_then_given_before_bought_then_age(ledger, account, give, work, clock):
    soon, late = clock.now + timedelta(days=1), clock.now + timedelta(days=2)
    give(1, "f", priority=30)
    give(2, "e", expires_at=late)
    give(3, "d", expires_at=soon, cost_minor=100, currency="eur")
    give(4, "c", expires_at=soon)
    give(5, "b", expires_at=soon)
    give(6, "a", priority=1)

    order = []
    for _ in range(6):
        first = ledger.balance(account).lots[0]
        order.append(first.granted)
        work(first.remaining)

    assert order == [6, 4, 5, 3, 2, 1]


@pytest.mark.parametrize("cost", [{"cost_minor": 100}, {"currency": "eur"}, {"cost_minor": -1, "currency": "eur"}])
def test_what_a_lot_cost_is_an_amount_of_a_currency(give, cost):
    with pytest.raises(errors.BadInput):
        give(10, "pack", kind="pack", **cost)


def test_what_is_less_than_a_micro_credit_is_carried_to_the_next_charge(ledger, account, give, work):
    give(100, "fund")
    ledger.rate_card = RateCard(version="odd", models=(ModelRate(pattern="unit", input_nano=300),))

    charged = [work(1).charged for _ in range(10)]

    assert (sum(charged), ledger.balance(account).available) == (3, 97)


@settings(max_examples=50)
@given(st.lists(st.integers(0, 10**15), max_size=50))
def test_any_number_of_charges_costs_what_they_cost_together(prices):
    books = Books(account="a", now=FrozenClock().now)

    taken = sum(books.price(nano) for nano in prices)

    assert taken * 1000 + books.carry_nano == sum(prices)
    assert 0 <= books.carry_nano < 1000
