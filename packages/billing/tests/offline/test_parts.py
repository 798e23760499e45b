"""The pure parts: forms, ids, periods, proration, money, cards, pages of lists; and the store's promise."""

import contextlib
import doctest
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomtone_billing.offline import CardDeclined, InvalidRequest, StripeError, cards, money, periods
from roomtone_billing.offline.engine import proration
from roomtone_billing.offline.forms import decode
from roomtone_billing.offline.ids import make_id
from roomtone_billing.offline.lists import page
from roomtone_billing.offline.objects import merged_metadata
from roomtone_billing.offline.resources.events import differences
from roomtone_billing.offline.specification import Specification
from roomtone_billing.offline.store import Store

MOMENTS = st.integers(0, 4 * 10**9)
RECURRING = st.fixed_dictionaries({"interval": st.sampled_from(["day", "week", "month", "year"]), "interval_count": st.integers(1, 4)})


@pytest.mark.parametrize("module", [periods, proration, money])
def test_the_examples_in_the_docstrings_run(module):
    failed, tried = doctest.testmod(module)

    assert (failed, tried > 0) == (0, True)


def test_a_form_becomes_a_tree():
    pairs = [("items[0][price]", "p"), ("items[1][price]", "q"), ("metadata[a]", "1"), ("expand[]", "x"), ("expand[]", "y"), ("name", "")]

    assert decode(pairs) == {"items": [{"price": "p"}, {"price": "q"}], "metadata": {"a": "1"}, "expand": ["x", "y"], "name": ""}


@pytest.mark.parametrize("name", ["a[", "[a]", "a]b", "a" + "[b]" * 12, ""])
def test_a_malformed_name_is_refused(name):
    with pytest.raises(InvalidRequest):
        decode([(name, "1")])


def test_a_name_is_a_value_or_a_container():
    with pytest.raises(InvalidRequest):
        decode([("a", "1"), ("a[b]", "2")])


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_form_is_decoded_or_refused_never_worse(name, value):
    for pairs in ([(name, value)], [(f"{name}[x]", value), (name, value)]):
        with contextlib.suppress(InvalidRequest):
            assert list(decode(pairs))


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_ids_are_a_function_of_seed_and_number(seed, number):
    one = make_id("cus", seed=seed, number=number, length=14)

    assert one == make_id("cus", seed=seed, number=number, length=14)
    assert one != make_id("cus", seed=seed, number=number + 1, length=14)
    assert (len(one), one[4:].isalnum()) == (18, True)


@given(MOMENTS, RECURRING, st.integers(0, 10**8))
def test_a_period_ends_later_and_its_end_is_one_of_the_anchors(anchor, recurring, later):
    end = periods.period_end(anchor, recurring, after=anchor + later)
    following = periods.period_end(anchor, recurring, after=end)

    assert anchor + later < end < following
    assert periods.period_end(anchor, recurring, after=end - 1) == end
    assert datetime.fromtimestamp(end, UTC).time() == datetime.fromtimestamp(anchor, UTC).time()


@given(st.integers(0, 10**9), MOMENTS, st.integers(1, 10**8), st.data())
def test_a_credit_never_exceeds_what_was_debited(amount, start, length, data):
    end = start + length
    bought = data.draw(st.integers(start, end))
    changed = data.draw(st.integers(bought, end))
    debit = proration.share(amount, start=start, end=end, at=bought)
    credit = proration.share(amount, start=start, end=end, at=changed)

    assert 0 <= credit <= debit <= amount
    assert proration.share(amount, start=start, end=end, at=start) == amount


@pytest.mark.parametrize("card", cards.CARDS, ids=lambda card: card.number)
def test_every_documented_card_passes_its_check_digit(card):
    assert cards.passes_luhn(card.number)
    assert cards.by_number(f" {card.number[:4]} {card.number[4:]}") is card
    assert all(cards.by_alias(alias) is card for alias in card.aliases)


@pytest.mark.parametrize(
    ("number", "code"), [("4242424242424241", "incorrect_number"), ("", "incorrect_number"), ("4000000000000010", "card_declined")]
)
def test_other_numbers_are_refused(number, code):
    with pytest.raises(CardDeclined) as refused:
        cards.by_number(number)

    assert refused.value.code == code


@given(st.lists(st.integers(0, 50), max_size=30), st.integers(1, 10))
def test_pages_together_are_the_whole_list(numbers, limit):
    objects = [{"id": f"x_{place}", "created": number} for place, number in enumerate(numbers)]
    seen, cursor = [], {}
    while True:
        found = page(objects, {"limit": limit, **cursor}, url="/v1/x")
        seen += [each["id"] for each in found["data"]]
        if not found["has_more"]:
            break
        cursor = {"starting_after": seen[-1]}

    assert seen == [each["id"] for each in reversed(objects)]


def test_a_list_can_be_cut_by_time():
    objects = [{"id": str(number), "created": number} for number in range(10)]

    found = page(objects, {"created": {"gt": 2, "lte": 5}}, url="/v1/x")
    assert [each["id"] for each in found["data"]] == ["5", "4", "3"]
    assert [each["id"] for each in page(objects, {"created": 7}, url="/v1/x")["data"]] == ["7"]


def test_metadata_can_be_emptied_whole():
    assert merged_metadata({"a": "1"}, "") == {}


def test_previous_attributes_are_the_old_values_of_what_changed():
    before = {"status": "active", "details": {"reason": None, "comment": "x"}, "items": {"object": "list", "data": [1]}, "same": 1}
    after = {"status": "canceled", "details": {"reason": "asked", "comment": "x"}, "items": {"object": "list", "data": [2]}, "same": 1}

    assert differences(before, after) == {"status": "active", "details": {"reason": None}, "items": {"object": "list", "data": [1]}}


def test_parameters_are_read_in_their_own_types():
    given_ = {
        "customer": "cus_1",
        "items": [{"price": "p", "quantity": "3"}],
        "cancel_at_period_end": "true",
        "trial_end": "now",
        "default_tax_rates": "",
    }

    read = Specification().checked("post /v1/subscriptions", given_)
    assert (read["items"][0]["quantity"], read["cancel_at_period_end"], read["trial_end"], read["default_tax_rates"]) == (
        3,
        True,
        "now",
        "",
    )


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"customer": "c", "items": [{"quantity": "many"}]}, "items[0][quantity]"),
        ({"customer": "c", "items": "x"}, "items"),
        ({"customer": "c", "cancel_at_period_end": "yes"}, "cancel_at_period_end"),
        ({"customer": {"id": "c"}}, "customer"),
        ({"customer": "c", "description": "x" * 501}, "description"),
        ({"customer": "c", "currency": "euro"}, "currency"),
    ],
)
def test_a_malformed_parameter_is_named(params, param):
    with pytest.raises(InvalidRequest) as refused:
        Specification().checked("post /v1/subscriptions", params)

    assert refused.value.param == param


def reopened(store, path):
    """What a process that starts later finds."""
    store.close()
    again = Store(path)
    kept = again.all("thing")
    again.close()
    return kept


def test_a_failed_transaction_leaves_nothing(tmp_path):
    def fail():
        with store.transaction():
            store.change("thing", "a", value=2)
            store.add("thing", {"id": "b"})
            store.remove("thing", "a")
            raise StripeError("no")

    store = Store(tmp_path / "store.sqlite")
    with store.transaction():
        store.add("thing", {"id": "a", "value": 1})
    with pytest.raises(StripeError):
        fail()

    assert store.all("thing") == [{"id": "a", "value": 1}]
    assert reopened(store, tmp_path / "store.sqlite") == [{"id": "a", "value": 1}]


def test_the_store_keeps_the_order_of_arrival(tmp_path):
    store = Store(tmp_path / "store.sqlite")
    with store.transaction():
        for name in ("c", "a", "b"):
            store.add("thing", {"id": name})
    with store.transaction():
        store.change("thing", "c", value=1)

    assert [each["id"] for each in reopened(store, tmp_path / "store.sqlite")] == ["c", "a", "b"]
