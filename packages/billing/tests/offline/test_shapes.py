"""What is worked out for an answer, and never stored, also has Stripe's shape."""

import json

import pytest
import stripe

from roomtone_billing.offline import ShapeMismatch
from roomtone_billing.offline.api import Request
from roomtone_billing.offline.shapes import Shapes
from roomtone_billing.offline.specification import Specification


@pytest.fixture
def ask(sandbox):
    """Send a request past the SDK; return the status and the JSON as it is."""

    def send(method, path, query="", body=""):
        headers = {"authorization": "Bearer sk_test_x"}
        answer = sandbox.offline.respond(Request(method=method, path=path, query=query, body=body.encode(), headers=headers))
        return answer.status, json.loads(answer.body)

    return send


def test_a_preview_is_an_invoice(sandbox, judge, ask):
    subscription = sandbox.subscribe(sandbox.price())
    bigger = sandbox.price(7900)
    item = subscription["items"].data[0].id
    renewal = ask("post", "/v1/invoices/create_preview", body=f"subscription={subscription.id}")
    change = f"subscription_details[items][0][id]={item}&subscription_details[items][0][price]={bigger.id}"
    changed = ask("post", "/v1/invoices/create_preview", body=f"subscription={subscription.id}&{change}")

    assert [status for status, _ in (renewal, changed)] == [200, 200]
    assert [judge.problems(value) for _, value in (renewal, changed)] == [[], []]
    assert changed[1]["total"] == -2900 + 7900 + 7900


def test_the_line_items_of_checkout_are_items(sandbox, judge, ask):
    price = sandbox.price()
    session = sandbox.v1.checkout.sessions.create({"mode": "subscription", "line_items": [{"price": price.id, "quantity": 2}]})
    _, listed = ask("get", f"/v1/checkout/sessions/{session.id}/line_items")
    _, expanded = ask("get", f"/v1/checkout/sessions/{session.id}", "expand[]=line_items")

    assert [judge.problems(each) for each in listed["data"]] == [[]]
    assert judge.problems(expanded) == []
    assert listed["data"][0]["amount_total"] == 5800


def test_expanded_objects_are_whole(sandbox, judge, ask):
    subscription = sandbox.subscribe(sandbox.price())
    paths = "expand[]=latest_invoice.payments&expand[]=customer&expand[]=default_payment_method&expand[]=latest_invoice.confirmation_secret"
    _, value = ask("get", f"/v1/subscriptions/{subscription.id}", paths)

    assert judge.problems(value) == []
    assert judge.problems(value["latest_invoice"]) == []
    assert [judge.problems(each) for each in value["latest_invoice"]["payments"]["data"]] == [[]]


def test_every_refusal_has_stripes_error_shape(sandbox, judge, ask):
    refused = [
        ask("post", "/v1/customers", body="nickname=x"),
        ask("get", "/v1/customers/cus_none"),
        ask("get", "/v1/payouts"),
        ask("get", "/v1/unicorns"),
        ask("post", "/v1/customers", body="a[=1"),
        ask("post", "/v1/payment_methods", body="type=card&card[number]=1&card[exp_month]=1&card[exp_year]=2030"),
    ]

    assert [status for status, _ in refused] == [400, 404, 501, 404, 400, 402]
    assert [judge.error_problems(value) for _, value in refused] == [[]] * 6


def test_a_declined_payment_carries_its_intent(sandbox, judge):
    subscription = sandbox.subscribe(sandbox.price())
    sandbox.offline.decline(subscription.customer)
    sandbox.offline.advance(29 * 86400)
    invoice = sandbox.v1.invoices.list({"status": "open"}).data[0]
    with pytest.raises(stripe.CardError) as refused:
        sandbox.v1.invoices.pay(invoice.id)

    assert judge.error_problems(json.loads(refused.value.http_body)) == []
    assert refused.value.error.payment_intent.status == "requires_payment_method"


def test_the_judge_refuses_what_stripe_would_not_send(judge, ask, sandbox):
    _, customer = ask("get", f"/v1/customers/{sandbox.v1.customers.create({}).id}")

    assert judge.problems(customer) == []
    assert judge.problems({**customer, "created": "today"}) != []
    assert judge.problems({**customer, "subscription_count": 1}) != []


def test_an_object_of_another_shape_is_never_sent_out():
    with pytest.raises(ShapeMismatch, match="value is missing"):
        Shapes(Specification()).demand({"object": "tax_id"})


def test_a_wrong_answer_is_never_sent(sandbox):
    customer = sandbox.v1.customers.create({})
    sandbox.offline.load([{"object": "customer", "id": customer.id, "created": "yesterday"}])
    with pytest.raises(ShapeMismatch) as mistake:
        sandbox.v1.customers.retrieve(customer.id)

    assert any("created" in problem for problem in mistake.value.problems)
