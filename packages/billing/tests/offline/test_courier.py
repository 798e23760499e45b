"""Webhooks: signed, at least once, again after failures, and as unruly as asked."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from roomtone_billing.offline import Chaos, OfflineOnly, OfflineStripe
from roomtone_billing.offline.chaos import read_chaos
from roomtone_billing.offline.courier import is_loopback, post_to_loopback
from roomtone_billing.offline.resources import deliveries

HOOK = "http://127.0.0.1:9/hook"


class Endpoint:
    """Answers with given statuses in turn, the last one for ever, and keeps what it got."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.got: list[tuple[str, bytes, dict[str, str]]] = []

    def __call__(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        self.got.append((url, body, headers))
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body, _ in self.got]

    def ids(self) -> list[str]:
        return [json.loads(body)["id"] for _, body, _ in self.got]


def start(endpoint, **more):
    offline = OfflineStripe(post=endpoint, webhook_url=HOOK, **more)
    return offline, stripe.StripeClient("sk_test_x", http_client=offline.http_client())


def test_a_delivery_is_signed_as_the_sdk_expects():
    endpoint = Endpoint(200)
    offline, client = start(endpoint, webhook_secret="whsec_mine")
    client.v1.customers.create({"email": "é@example.com"})
    offline.deliver()

    _, body, headers = endpoint.got[0]
    assert client.construct_event(body, headers["Stripe-Signature"], "whsec_mine").type == "customer.created"
    with pytest.raises(stripe.SignatureVerificationError):
        client.construct_event(body + b" ", headers["Stripe-Signature"], "whsec_mine")


def test_a_registered_endpoint_gets_only_what_it_asked_for_under_its_own_secret():
    endpoint = Endpoint(200)
    offline = OfflineStripe(post=endpoint)
    client = stripe.StripeClient("sk_test_x", http_client=offline.http_client())
    made = client.v1.webhook_endpoints.create({"url": "http://127.0.0.1:9/other", "enabled_events": ["price.created"]})
    product = client.v1.products.create({"name": "Solo"})
    client.v1.prices.create({"product": product.id, "currency": "eur", "unit_amount": 1})
    offline.deliver()

    (url, body, headers), *others = endpoint.got
    assert (url, others) == ("http://127.0.0.1:9/other", [])
    assert client.construct_event(body, headers["Stripe-Signature"], made.secret).type == "price.created"
    assert "secret" not in client.v1.webhook_endpoints.retrieve(made.id)


def test_a_failed_delivery_comes_again_on_schedule():
    endpoint = Endpoint(500, 200)
    offline, client = start(endpoint)
    client.v1.customers.create({})
    arrived = [offline.deliver()]
    arrived.append(offline.deliver())
    offline.advance(deliveries.RETRY_S[0])
    arrived.append(offline.deliver())

    assert arrived == [0, 0, 1]
    assert len(set(endpoint.ids())) == 1
    assert client.v1.events.list().data[0].pending_webhooks == 0


def test_deliveries_end_after_the_last_retry():
    endpoint = Endpoint(500)
    offline, client = start(endpoint)
    client.v1.customers.create({})
    for _ in range(40):
        offline.deliver()
        offline.advance(24 * 3600)

    assert len(endpoint.got) == len(deliveries.RETRY_S) + 1


def test_a_network_error_is_a_failed_delivery():
    def refuse(url, body, headers):
        raise ConnectionRefusedError(url)

    offline, client = start(refuse)
    client.v1.customers.create({})

    assert offline.deliver() == 0
    assert offline.world.store.all("delivery")[0]["last_problem"].startswith("ConnectionRefusedError")


def test_an_error_of_the_receiver_itself_reaches_the_caller_and_loses_nothing():
    def broken(url, body, headers):
        raise AssertionError("the test's own check")

    offline, client = start(broken)
    client.v1.customers.create({})
    for _ in range(2):
        with pytest.raises(AssertionError, match="own check"):
            offline.deliver()

    assert offline.world.store.all("delivery")[0]["state"] == "waiting"


def test_the_receiver_may_call_the_api_before_it_answers():
    seen = []

    def fetch(url, body, headers):
        seen.append(client.v1.customers.retrieve(json.loads(body)["data"]["object"]["id"]).id)
        return 200

    offline, client = start(fetch)
    customer = client.v1.customers.create({})
    offline.deliver()

    assert seen == [customer.id]


def test_a_limit_bounds_the_attempts():
    endpoint = Endpoint(200)
    offline, client = start(endpoint)
    for _ in range(5):
        client.v1.customers.create({})

    assert [offline.deliver(max=3), offline.deliver(max=3)] == [3, 2]


def test_chaos_reorders_by_seed_and_loses_nothing():
    def order(seed):
        endpoint = Endpoint(200)
        offline, client = start(endpoint, chaos=Chaos(seed=seed, reorder=True))
        for _ in range(12):
            client.v1.customers.create({})
        offline.deliver()
        return endpoint.ids()

    straight = sorted(order(1))
    assert order(1) == order(1)
    assert order(1) != order(2)
    assert sorted(order(2)) == straight


def test_chaos_duplicates():
    endpoint = Endpoint(200)
    offline, client = start(endpoint, chaos=Chaos(duplicate=1.0))
    client.v1.customers.create({})
    offline.deliver()

    assert len(endpoint.got) == 2
    assert len(set(endpoint.ids())) == 1


def test_chaos_drops_and_the_schedule_makes_up_for_it():
    endpoint = Endpoint(200)
    offline, client = start(endpoint, chaos=Chaos(seed=3, drop=0.5))
    for _ in range(20):
        client.v1.customers.create({})
    first = offline.deliver()
    for pause in deliveries.RETRY_S:
        offline.advance(pause)
        offline.deliver()

    assert 0 < first < 20
    assert len(set(endpoint.ids())) == 20


def arrivals(seed, **chaos):
    """Which of twelve events arrive at which second of the first minute."""
    seen = []
    moment = datetime(2026, 1, 1, 12, tzinfo=UTC)
    offline, client = start(
        lambda _url, body, _headers: seen.append((offline.now.second, json.loads(body)["created"])) or 200,
        clock=lambda: moment,
        chaos=Chaos(seed=seed, **chaos),
    )
    for _ in range(12):
        client.v1.customers.create({})
        offline.advance(1)
    for _ in range(48):
        offline.deliver()
        offline.advance(1)
    return seen, int(moment.timestamp())


def test_chaos_delays_each_delivery_by_seed():
    seen, _ = arrivals(1, delay_s=30)

    assert len(seen) == 12
    assert len({second for second, _ in seen}) > 3
    assert arrivals(1, delay_s=30) == arrivals(1, delay_s=30) != arrivals(2, delay_s=30)


def test_chaos_lets_events_come_in_batches_of_one_second():
    seen, began = arrivals(1, batch_s=20)

    assert [second for second, _ in seen] == [12, *[20] * 11]
    assert [created - began for _, created in seen] == [0, *[20] * 11]


@pytest.mark.parametrize(("share", "expected"), [(0.0, [False] * 8), (1.0, [True] * 8)])
def test_chaos_delivers_before_the_call_returns(share, expected):
    endpoint = Endpoint(200)
    _, client = start(endpoint, chaos=Chaos(early=share))

    assert [client.v1.customers.create({}).id in {each["data"]["object"]["id"] for each in endpoint.events()} for _ in range(8)] == expected


def test_an_early_delivery_whose_receiver_writes_ends():
    created = []

    def answer_with_a_write(_url, body, _headers):
        if json.loads(body)["type"] == "customer.created" and len(created) < 50:
            created.append(client.v1.customers.create({}).id)
        return 200

    _, client = start(answer_with_a_write, chaos=Chaos(early=1.0))
    client.v1.customers.create({})

    assert len(created) == 50


def test_a_line_says_which_chaos_is_wanted():
    wanted = Chaos(seed=3, reorder=True, duplicate=0.2, drop=0.1, delay_s=30, batch_s=5, early=0.5)

    assert read_chaos("seed=3, reorder,duplicate=0.2,drop=0.1,delay_s=30,batch_s=5,early=0.5") == wanted
    assert read_chaos("") == Chaos()


@pytest.mark.parametrize("line", ["speed=3", "drop=often", "seed", "reorder=perhaps"])
def test_a_line_that_asks_for_no_chaos_is_refused(line):
    with pytest.raises(OfflineOnly, match="no chaos setting"):
        read_chaos(line)


def test_undelivered_webhooks_survive_a_restart(tmp_path):
    file = tmp_path / "store.sqlite"
    before, client = start(Endpoint(500), store=file)
    customer = client.v1.customers.create({"email": "ana@example.com"})
    before.deliver()
    before.close()
    endpoint = Endpoint(200)
    after, client = start(endpoint, store=file)
    after.advance(3600)
    after.deliver()

    assert json.loads(endpoint.got[0][1])["data"]["object"]["id"] == customer.id
    assert client.v1.customers.retrieve(customer.id).email == "ana@example.com"
    after.close()
    with closing(sqlite3.connect(file)) as kept:
        assert kept.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("url", ["http://example.com/hook", "https://127.0.0.1/hook", "http://10.0.0.1/", "ftp://localhost/"])
def test_the_courier_leaves_this_machine_never(url):
    with pytest.raises(OSError, match="talks to nothing else"):
        post_to_loopback(url, b"{}", {})


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("127.0.0.9", True),
        ("::1", True),
        ("localhost.example", False),
        ("", False),
        ("8.8.8.8", False),
    ],
)
def test_loopback_is_told_from_the_rest(host, expected):
    assert is_loopback(host) is expected
