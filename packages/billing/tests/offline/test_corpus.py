"""Stripe's own examples and its SDK's own requests, put to the offline Stripe."""

import gzip
import json
import re
from pathlib import Path

import pytest

from roomtone_billing.offline.api import Request
from roomtone_billing.offline.shapes import Shapes
from roomtone_billing.offline.specification import Specification

DATA = Path(__file__).with_name("data")


def unpacked(name):
    return json.loads(gzip.decompress((DATA / name).read_bytes()))


FIXTURES = unpacked("fixtures.json.gz")
REQUESTS = unpacked("sdk_requests.json.gz")
# Fields of older API versions that Stripe's own examples still show and the document no longer names.
FORMER = {"charge": {"source"}, "invoice": {"subscription"}, "payment_intent": {"source"}, "subscription_item": {"plan"}}
# And one that the invoice of the examples is too old for.
ADDED = {"invoice": {"amount_paid_off_stripe": 0}}
# What the ids in the SDK's requests stand for, by their beginning.
PLACEHOLDERS = {
    "acct": "account", "bpc": "billing_portal.configuration", "cbtxn": "customer_balance_transaction", "txi": "tax_id",
    "ch": "charge", "cn": "credit_note", "cs_test": "checkout.session", "cus": "customer", "dp": "dispute",
    "evt": "event", "fee": "application_fee", "in": "invoice", "ii": "invoiceitem", "pi": "payment_intent", "pm": "payment_method",
    "price": "price", "prod": "product", "promo": "promotion_code", "re": "refund", "seti": "setup_intent", "sub": "subscription",
    "sub_sched": "subscription_schedule", "tr": "transfer", "txr": "tax_rate", "clock": "test_helpers.test_clock",
    "we": "webhook_endpoint",
}  # fmt: skip
RESOURCES = sorted(kind for kind in Specification().schemas if Shapes(Specification()).serves(kind) and kind in FIXTURES)


@pytest.fixture(scope="module")
def shapes():
    return Shapes(Specification())


@pytest.mark.parametrize("kind", sorted(FIXTURES))
def test_an_official_example_is_loaded_as_it_is(sandbox, kind):
    example = FIXTURES[kind]
    whole = {"object": kind, "id": kind, **example}
    sandbox.offline.load([whole])

    assert sandbox.offline.world.store.find(whole["object"], whole["id"]) == whole


@pytest.mark.parametrize("kind", RESOURCES)
def test_the_shipped_judge_takes_stripes_own_examples(shapes, judge, kind):
    example = current(kind)

    assert shapes.problems(example) == []
    assert judge.problems(example) == []


def ask(sandbox, method, path, query="", body=""):
    headers = {"authorization": "Bearer sk_test_x"}
    answer = sandbox.offline.respond(Request(method=method, path=path, query=query, body=body.encode(), headers=headers))
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize(("method", "path", "query", "body"), REQUESTS, ids=[f"{each[0]} {each[1]} {n}" for n, each in enumerate(REQUESTS)])
def test_the_sdks_own_request_gets_an_answer_of_stripes_shape(sandbox, shapes, judge, method, path, query, body):
    status, value = ask(sandbox, method, path, query, body)

    if status == 200:
        assert shapes.problems(value) == []
    else:
        assert judge.error_problems(value) == []
        assert value["error"]["message"]
        assert status in (400, 402, 404, 501)


def current(kind):
    """An official example without the fields that its document no longer names."""
    return {name: value for name, value in FIXTURES[kind].items() if name not in FORMER.get(kind, ())} | ADDED.get(kind, {})


READS = [path for method, path, *_ in REQUESTS if method == "get" and re.fullmatch(r"/v1/[a-z_/]+/(?:[a-z]+_)+(?:test_)?x{6,}", path)]


@pytest.mark.parametrize("path", sorted(set(READS)))
def test_what_the_sdk_reads_by_id_is_found_when_it_is_there(sandbox, judge, path):
    name = path.rsplit("/", 1)[1]
    kind = PLACEHOLDERS.get(name.rsplit("_x", 1)[0])
    if kind:
        sandbox.offline.load([{**current(kind), "id": name}])
    status, value = ask(sandbox, "get", path)

    # An item has no life of its own: it is found inside its subscription, which is not here.
    expected = 200 if kind else 404
    assert status == (501 if sandbox.offline.specification.knows("get", path) else expected)
    assert status != 200 or (value["id"] == name and judge.problems(value) == [])


def test_a_differing_judge_would_be_noticed(shapes, judge):
    customer = FIXTURES["customer"]
    broken = [
        {**customer, "created": "today"},
        {**customer, "livemode": None},
        {**customer, "extra": 1},
        {**customer, "tax_exempt": "maybe"},
    ]

    assert [bool(shapes.problems(each)) for each in broken] == [True] * 4
    assert [bool(judge.problems(each)) for each in broken] == [True] * 4
