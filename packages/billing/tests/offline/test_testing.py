"""The pytest fixtures, and webhooks that go to an application in this process."""

import pytest
import stripe
from flask import Flask, request

from roomtone_billing.offline import post_to_app
from roomtone_billing.offline.testing import offline_stripe, offline_stripe_settings, stripe_client  # noqa: F401 the fixtures under test


@pytest.fixture
def shop():
    app = Flask("shop")
    app.seen = []

    @app.post("/hook")
    def hook():
        event = stripe.Webhook.construct_event(request.get_data(), request.headers["Stripe-Signature"], "whsec_offline", tolerance=10**10)
        app.seen.append(event.type)
        return "ok"

    return app


def test_the_fixture_answers_the_sdk_at_a_standing_clock(stripe_client, offline_stripe):  # noqa: F811
    customer = stripe_client.v1.customers.create({})

    assert customer.created == int(offline_stripe.now.timestamp())


def test_a_webhook_reaches_an_application_in_this_process(make_sandbox, shop):
    sandbox = make_sandbox(webhook_url="http://127.0.0.1/hook", post=post_to_app(shop))
    sandbox.v1.customers.create({})

    assert sandbox.offline.deliver() == 1
    assert shop.seen == ["customer.created"]
