"""The pytest fixtures, and webhooks that go to an application in this process."""

import subprocess
import sys

import pytest
import stripe
from flask import Flask, request

import roomtone_billing
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


def test_the_offline_stripe_is_loaded_without_the_rest_of_the_library():
    script = "import sys, roomtone_billing.offline.cli, roomtone_billing.cli; print({'sqlalchemy', 'pydantic', 'flask'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert shown.stdout == "set()\n"


def test_every_name_of_the_library_is_there_when_asked_for():
    missing = [name for name in roomtone_billing.__all__ if not hasattr(roomtone_billing, name)]

    assert missing == []
    assert set(roomtone_billing.__all__) <= set(dir(roomtone_billing))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        roomtone_billing.Nothing  # noqa: B018 - asking is the test
