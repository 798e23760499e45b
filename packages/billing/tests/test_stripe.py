"""The gateway over the SDK, with Stripe's own example objects coming over a wire that is not there."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import stripe

from roomtone_billing.errors import GatewayRefused, GatewayUnavailable, MalformedTruth
from roomtone_billing.gateway import CustomerOwner, PublishedProduct
from roomtone_billing.plans import Interval
from roomtone_billing.snapshot import Pause, Status
from roomtone_billing.stripe import StripeGateway, translation

EXAMPLES = json.loads((Path(__file__).parent / "fixtures" / "stripe.json").read_text())
MISSING = {"error": {"type": "invalid_request_error", "code": "resource_missing", "message": "No such customer"}}


class Wire(stripe.HTTPClient):
    """Answers from a list of (status, body); an exception in it is raised. Remembers what was asked."""

    name = "wire"

    def __init__(self, *answers: Any) -> None:
        super().__init__()
        self.answers = list(answers)
        self.asked: list[tuple[str, str, dict[str, list[str]], dict[str, str]]] = []

    def request(self, method, url, headers, post_data=None, *, _usage=None):
        address = urlsplit(url)
        params = parse_qs(address.query or post_data or "")
        self.asked.append((method, address.path, params, headers))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        return body if isinstance(body, str) else json.dumps(body), status, {}

    def close(self) -> None:
        pass


def gateway(*answers: Any, **settings: Any) -> tuple[StripeGateway, Wire]:
    wire = Wire(*answers)
    return StripeGateway("sk_test_x", webhook_secrets=["whsec"], http_client=wire, retries_max=0, **settings), wire


def page(*things: Any) -> tuple[int, Any]:
    return 200, {"object": "list", "url": "/v1/things", "has_more": False, "data": list(things)}


def example(kind: str, **changes: Any) -> dict[str, Any]:
    return deepcopy(EXAMPLES[kind]) | changes


CARD = {"id": "pm_1", "object": "payment_method", "type": "card", "card": {"brand": "visa", "last4": "4242"}}


def test_the_truth_is_fetched_whole_with_the_invoices_last():
    subscription = example("subscription", default_payment_method=CARD)
    stripe_, wire = gateway((200, example("customer")), page(subscription), page(), page(), page(example("invoice", total=1900)))
    truth = stripe_.fetch("cus_1")

    assert [path for _, path, _, _ in wire.asked] == [
        "/v1/customers/cus_1",
        "/v1/subscriptions",
        "/v1/checkout/sessions",
        "/v1/charges",
        "/v1/invoices",
    ]
    assert wire.asked[1][2]["status"] == ["all"]
    assert (truth.subscriptions[0].id, truth.subscriptions[0].status) == (subscription["id"], Status.active)
    assert truth.subscriptions[0].period_start == datetime.fromtimestamp(1896570518, UTC)
    assert truth.invoices[0].subscription == "subscription"
    assert truth.card == "visa •••• 4242"


@pytest.mark.parametrize("left", [page(), page(example("subscription", status="canceled")), (404, MISSING)])
def test_a_deleted_customer_is_truth_too(left):
    stripe_, _ = gateway((200, {"id": "cus_1", "object": "customer", "deleted": True}), left)
    truth = stripe_.fetch("cus_1")

    assert truth.is_deleted
    assert all(one.status is Status.canceled for one in truth.subscriptions)


def test_a_customer_that_never_was_is_a_deleted_one():
    stripe_, _ = gateway((404, MISSING))

    assert stripe_.fetch("cus_1").is_deleted


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (stripe.APIConnectionError("refused"), GatewayUnavailable),
        ((429, {"error": {"message": "slow down"}}), GatewayUnavailable),
        ((409, {"error": {"message": "locked"}}), GatewayUnavailable),
        ((500, {"error": {"message": "oops"}}), GatewayUnavailable),
        ((503, "<html>"), GatewayUnavailable),
        ((200, "<html>"), GatewayUnavailable),
        ((401, {"error": {"message": "bad key"}}), GatewayRefused),
        ((403, {"error": {"message": "not yours"}}), GatewayRefused),
        ((400, {"error": {"type": "idempotency_error", "message": "other parameters"}}), GatewayRefused),
        ((400, {"error": {"type": "invalid_request_error", "message": "no"}}), GatewayRefused),
        ((200, {"object": "customer"}), MalformedTruth),
    ],
)
def test_every_failure_is_worth_another_try_or_not(answer, expected):
    stripe_, _ = gateway(answer, page(), page())

    with pytest.raises(expected):
        stripe_.fetch("cus_1")


def test_making_a_customer_sends_its_owner_and_the_key():
    stripe_, wire = gateway((200, example("customer")))
    made = stripe_.create_customer(account="a", token="t", email="a@example.org", name="A", key="customer-t")
    _, _, params, headers = wire.asked[0]

    assert made == EXAMPLES["customer"]["id"]
    assert (params["metadata[account]"], params["metadata[token]"]) == (["a"], ["t"])
    assert headers["Idempotency-Key"] == "customer-t"


def test_the_owner_is_read_from_the_metadata_and_a_missing_customer_has_none():
    stripe_, _ = gateway((200, example("customer", metadata={"account": "a", "token": "t"})), (404, MISSING), (500, {"error": {}}))

    assert stripe_.owner("cus_1") == CustomerOwner(account="a", token="t")
    assert stripe_.owner("cus_2") == CustomerOwner(account=None, token=None)
    with pytest.raises(GatewayUnavailable):
        stripe_.owner("cus_3")


def test_a_checkout_sells_one_subscription_in_the_customers_language():
    stripe_, wire = gateway((200, example("checkout.session")), (200, example("checkout.session", url=None)))
    asked = {"customer": "cus_1", "account": "a", "price": "price_1", "success_url": "http://s", "cancel_url": "http://c"}
    page = stripe_.create_checkout(**asked, locale="fr", key="k")
    params = wire.asked[0][2]

    assert (page.id, page.url) == (EXAMPLES["checkout.session"]["id"], EXAMPLES["checkout.session"]["url"])
    assert (params["mode"], params["line_items[0][price]"], params["locale"]) == (["subscription"], ["price_1"], ["fr"])
    with pytest.raises(MalformedTruth, match="no url"):
        stripe_.create_checkout(**asked, locale=None, key="k")


def test_a_portal_opens_in_the_customers_language():
    stripe_, wire = gateway((200, example("billing_portal.session", url="https://portal")))

    assert stripe_.create_portal(customer="cus_1", return_url="http://r", locale="fr") == "https://portal"
    assert wire.asked[0][2]["locale"] == ["fr"]


def test_prices_are_asked_for_ten_at_a_time():
    price = example("price", lookup_key="starter_month", currency="eur")
    stripe_, wire = gateway(page(price), page())
    found = stripe_.prices([f"plan{number}_month" for number in range(12)])

    assert len(wire.asked) == 2
    assert [(one.lookup_key, one.amount_minor, one.currency, one.interval) for one in found] == [
        ("starter_month", 2000, "EUR", Interval.month)
    ]


def test_products_are_made_renamed_and_found():
    product = example("product", id="plan_a", name="A")
    exists = (400, {"error": {"type": "invalid_request_error", "code": "resource_already_exists", "message": "exists"}})
    stripe_, wire = gateway(page(product), (200, product), (200, product), exists, (400, {"error": {"message": "no"}}))

    assert stripe_.products(["plan_a"]) == {"plan_a": PublishedProduct(name="A")}
    stripe_.put_product(id="plan_a", name="A", is_new=True)
    stripe_.put_product(id="plan_a", name="B", is_new=False)
    stripe_.put_product(id="plan_a", name="A", is_new=True)
    assert [path for _, path, _, _ in wire.asked[1:]] == ["/v1/products", "/v1/products/plan_a", "/v1/products"]
    with pytest.raises(GatewayRefused):
        stripe_.put_product(id="plan_a", name="A", is_new=True)


def test_a_price_takes_the_lookup_key_over_and_names_its_plan():
    stripe_, wire = gateway((200, example("price")))
    asked = {"product": "plan_a", "lookup_key": "a_year", "interval": Interval.year, "amount_minor": 100, "currency": "EUR"}
    made = stripe_.create_price(**asked, metadata={"plan": "a"}, key="k")
    params = wire.asked[0][2]

    assert made == EXAMPLES["price"]["id"]
    assert (params["transfer_lookup_key"], params["metadata[plan]"], params["currency"]) == (["true"], ["a"], ["eur"])


@pytest.mark.parametrize(("key", "livemode"), [("sk_live_x", True), ("rk_live_x", True), ("sk_test_x", False), ("rk_test_x", False)])
def test_the_key_says_whether_money_is_real(key, livemode):
    assert StripeGateway(key, webhook_secrets=[]).livemode is livemode


def test_another_address_can_be_asked():
    wire = Wire((200, example("customer")))
    stripe_ = StripeGateway("sk_test_x", webhook_secrets=[], base_url="http://127.0.0.1:4242", http_client=wire)
    stripe_.owner("cus_1")

    assert wire.asked[0][1] == "/v1/customers/cus_1"


def subscription(**changes: Any) -> dict[str, Any]:
    plain = {"cancel_at": None, "cancel_at_period_end": False, "ended_at": None, "trial_end": None}
    return example("subscription", **(plain | changes))


def test_a_cancellation_is_seen_by_its_date_and_by_its_flag():
    by_date = translation.subscription(subscription(cancel_at=1_900_000_000))
    by_flag = translation.subscription(subscription(cancel_at_period_end=True))
    neither = translation.subscription(subscription())

    assert by_date.cancel_at == datetime.fromtimestamp(1_900_000_000, UTC)
    assert by_flag.cancel_at == by_flag.period_end
    assert neither.cancel_at is None


@pytest.mark.parametrize("pause", Pause)
def test_why_a_subscription_is_paused_is_read(pause):
    details = {"paused": {"type": "subscription", "subscription": {"type": pause.value}, "transitioned_at": 1_900_000_000}}
    read = translation.subscription(subscription(status="paused", status_details=details))

    assert (read.pause, read.paused_at) == (pause, datetime.fromtimestamp(1_900_000_000, UTC))


def test_an_unknown_reason_to_pause_is_none_and_an_end_for_want_of_payment_is_noted():
    odd = {"paused": {"subscription": {"type": "moon"}}}

    assert translation.subscription(subscription(status="paused", status_details=odd)).pause is None
    assert translation.subscription(subscription(cancellation_details={"reason": "payment_failed"})).ended_unpaid


def test_of_several_items_the_one_on_a_price_of_ours_decides():
    listed = subscription()
    foreign = listed["items"]["data"][0]
    ours = deepcopy(foreign)
    ours["price"] |= {"id": "price_ours", "metadata": {"plan": "pro"}, "recurring": {"interval": "year", "interval_count": 1}}
    listed["items"]["data"] = [foreign, ours]
    read = translation.subscription(listed)

    assert (read.price.id, read.price.plan, read.price.interval) == ("price_ours", "pro", Interval.year)


def test_a_price_of_a_week_or_of_three_months_has_no_interval_of_ours():
    for recurring in ({"interval": "week", "interval_count": 1}, {"interval": "month", "interval_count": 3}, None):
        assert translation.price(example("price", recurring=recurring)).interval is None


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "sleeping"},
        {"items": {"data": []}},
        {"items": {"data": [{"price": EXAMPLES["price"]}]}},
        {"items": {"data": [{"price": EXAMPLES["price"], "current_period_start": None, "current_period_end": 0}]}},
        {"items": None},
        {"created": 10**20},
    ],
)
def test_a_subscription_that_cannot_be_read_is_an_error_and_never_a_default(changes):
    with pytest.raises(MalformedTruth, match="cannot read subscription sub_"):
        translation.subscription(subscription(**changes))


def test_an_invoice_is_owed_since_it_fell_due_or_was_first_tried():
    opened = {"finalized_at": 1_800_000_000}
    tried = translation.invoice(example("invoice", due_date=None, attempt_count=1, status_transitions=opened))
    untried = translation.invoice(example("invoice", due_date=None, attempt_count=0, attempted=False, status_transitions=opened))
    due = translation.invoice(example("invoice", due_date=1_700_000_000, status_transitions=opened))

    assert tried.owed_since == datetime.fromtimestamp(1_800_000_000, UTC)
    assert untried.owed_since is None
    assert due.owed_since == datetime.fromtimestamp(1_700_000_000, UTC)


def test_an_invoice_without_a_subscription_or_without_a_total():
    assert translation.invoice(example("invoice", parent=None)).subscription is None
    with pytest.raises(MalformedTruth, match="cannot read invoice in_"):
        translation.invoice({key: value for key, value in EXAMPLES["invoice"].items() if key != "total"})


@pytest.mark.parametrize(
    ("method", "shown"),
    [
        (CARD, "visa •••• 4242"),
        ({"type": "sepa_debit", "sepa_debit": {"last4": "3000"}}, "sepa_debit •••• 3000"),
        ({"type": "paypal", "paypal": {"payer_email": "a@example.org"}}, None),
        ("pm_1", None),
        (None, None),
    ],
)
def test_a_payment_method_is_shown_by_its_last_digits(method, shown):
    assert translation.card(method) == shown
