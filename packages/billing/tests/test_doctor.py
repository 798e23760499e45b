"""The doctor finds each fault that is planted, and nothing where there is none."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import create_engine

from roomtone_billing import Billing, RetryPolicy
from roomtone_billing.stripe import StripeGateway

URL = "https://a.example/stripe/webhook"


@pytest.fixture
def healthy(host):
    """A host whose catalogue is published, whose endpoint is registered, and who has heard of everything."""
    host.billing.publish()
    host.endpoint = host.stripe.api.webhook_endpoints.create({"url": URL, "enabled_events": ["*"]}).id
    hear_all(host)
    return host


def hear_all(host) -> None:
    host.billing.upkeep.backfill(calls_per_s=10**6)
    host.drain()


def wrong(host, billing=None) -> dict[str, tuple[str, str]]:
    found = (billing or host.billing).upkeep.examine(url=URL)
    return {one.check: (one.detail, one.fix) for one in found if not one.is_ok}


def with_gateway(host, key="sk_test_offline", secrets=("whsec_test",)):
    gateway = StripeGateway(key, webhook_secrets=secrets, http_client=host.stripe.offline.http_client(), retries_max=0)
    return Billing(host.engine, catalogue=host.billing.catalogue, gateway=gateway, clock=host.clock)


def test_a_healthy_host_has_no_finding(healthy):
    found = healthy.billing.upkeep.examine(url=URL)

    assert [one.check for one in found if not one.is_ok] == []
    assert [one.check for one in found] == [
        "schema", "secrets", "key", "endpoint", "API version", "delivery", "catalogue", "clock", "backlog",
    ]  # fmt: skip


@pytest.mark.parametrize(("secrets", "detail"), [((), "no signing secret"), (("sk_test_x",), "do not begin with whsec_")])
def test_a_missing_or_wrong_secret_is_found(healthy, secrets, detail):
    found = wrong(healthy, with_gateway(healthy, secrets=secrets))

    assert detail in found["secrets"][0]
    assert "whsec_" in found["secrets"][1]


def test_a_key_that_stripe_refuses_is_found_and_ends_the_questions(healthy):
    found = wrong(healthy, with_gateway(healthy, key="pk_wrong"))

    assert list(found) == ["key"]
    assert "secret key" in found["key"][1]


def test_a_stripe_that_does_not_answer_is_not_taken_for_a_wrong_key(healthy):
    healthy.stripe.break_down(operation="get /v1/events")

    assert "status.stripe.com" in wrong(healthy)["key"][1]


def test_no_endpoint_is_found(healthy):
    healthy.stripe.api.webhook_endpoints.delete(healthy.endpoint)

    assert "no webhook endpoint is registered for https://a.example" in wrong(healthy)["endpoint"][0]


def test_a_disabled_endpoint_is_found(healthy):
    healthy.stripe.api.webhook_endpoints.update(healthy.endpoint, {"disabled": True})

    assert "is disabled" in wrong(healthy)["endpoint"][0]


def test_an_endpoint_that_is_not_told_enough_is_found(healthy):
    healthy.stripe.api.webhook_endpoints.update(healthy.endpoint, {"enabled_events": ["invoice.paid"]})

    assert wrong(healthy)["endpoint"][1] == "add customer.subscription.updated to the endpoint's events"


def test_an_endpoint_of_another_api_version_is_found(healthy):
    healthy.stripe.api.webhook_endpoints.create({"url": URL, "enabled_events": ["*"], "api_version": "2020-08-27"})
    detail, fix = wrong(healthy)["API version"]

    assert "2020-08-27" in detail
    assert f"api_version={healthy.gateway.api_version}" in fix


def test_events_that_never_come_are_found_after_a_while(healthy):
    healthy.stripe.stranger()
    at_first = wrong(healthy)
    healthy.clock.move(minutes=16)
    later = wrong(healthy)
    hear_all(healthy)

    assert ("delivery" in at_first, "delivery" in later, wrong(healthy)) == (False, True, {})
    assert "billing backfill" in later["delivery"][1]


def test_a_price_that_is_gone_from_stripe_is_found(healthy):
    price = healthy.stripe.api.prices.list({"lookup_keys": ["pro_month"]}).data[0]
    healthy.stripe.api.prices.update(price.id, {"active": False})
    detail, fix = wrong(healthy)["catalogue"]

    assert "pro_month" in detail
    assert fix == "run `billing catalog apply`"


@pytest.mark.parametrize("minutes", [-5, 5])
def test_a_clock_that_is_wrong_in_either_direction_is_found(healthy, minutes):
    billing = Billing(
        healthy.engine,
        catalogue=healthy.billing.catalogue,
        gateway=healthy.gateway,
        clock=lambda: healthy.clock() + timedelta(minutes=minutes),
    )

    assert wrong(healthy, billing)["clock"][0] == f"{minutes * 60:+.0f} s from Stripe's"


def test_events_nobody_works_on_are_found(healthy):
    healthy.billing.receive(*healthy.event())
    healthy.clock.move(minutes=11)

    assert "the oldest event waits for 660 s" in wrong(healthy)["backlog"][0]


def test_events_that_were_put_aside_are_found(healthy):
    billing = Billing(
        healthy.engine,
        catalogue=healthy.billing.catalogue,
        gateway=healthy.gateway,
        clock=healthy.clock,
        retry=RetryPolicy(attempts_max=1),
    )
    customer = healthy.customer()
    healthy.hear(customer)
    healthy.stripe.break_down()
    billing.work()

    assert "replay --failed" in wrong(healthy)["backlog"][1]


def test_accounts_that_nobody_sweeps_are_found(healthy):
    healthy.start_trial("s")
    healthy.drain()
    healthy.clock.move(days=15)
    hear_all(healthy)

    assert "sweep" in wrong(healthy)["backlog"][1]


def test_a_database_without_tables_is_found_and_so_is_one_that_does_not_answer(healthy, tmp_path):
    found = []
    for url in (f"sqlite:///{tmp_path}/empty.db", f"sqlite:///{tmp_path}/no/such/folder.db"):
        engine = create_engine(url)
        billing = Billing(engine, catalogue=healthy.billing.catalogue, gateway=healthy.gateway, clock=healthy.clock)
        found.append(wrong(healthy, billing)["schema"][1])
        engine.dispose()

    assert found == ["call schema.upgrade(engine)", "check the engine's address"]
