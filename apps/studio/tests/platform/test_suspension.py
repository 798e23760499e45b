"""A studio that is suspended for debts: what visitors, its people and its owner see, and the ways to pay."""

from __future__ import annotations

import uuid
from urllib.parse import urlsplit

import pytest
from werkzeug.test import Client

from roomtone_billing import Interval, Phase
from studio.platform import accounts
from studio.platform.models import Membership
from studio.platform.standing import settle

PLAN = "/app/plan"
CARD = {"number": "4242424242424242", "expiry": "12 / 34", "cvc": "123", "name": "Ada"}
DAY_S = 86_400


def words(answer) -> str:
    return " ".join(answer.text.split())


@pytest.fixture
def suspend(services, studio):
    """Close it as an unpaid plan does."""

    def close() -> None:
        with services.database.control() as db:
            settle(db, services, studio.key, reason="unpaid", phase=Phase.suspended)

    return close


@pytest.fixture
def engineer(services, app, studio, client_of):
    """Somebody of the studio who is not its owner, signed in."""
    client = client_of(studio, signed_in=False)
    with services.database.control() as db:
        user = accounts.create_user(
            db, email=f"{uuid.uuid4().hex[:8]}@example.com", name="Noé Engineer", password="a quiet room with cables", locale="en"
        )
        db.add(Membership(user_id=user.id, tenant_key=studio.key, role="engineer"))
        token = accounts.hand_over(db, user, tenant_key=studio.key)
    assert client.get(f"/enter?token={token}").status_code == 303
    return client


def test_each_sees_what_is_theirs_to_see(suspend, studio_client, engineer, visitor):
    suspend()
    owner, member, anyone = (words(client.get("/app")) for client in (studio_client, engineer, visitor))

    assert all("is closed for now" in page for page in (owner, member, anyone))
    assert "Pay and open again" in owner
    assert "Only Ada Owner can pay" in member
    assert "Pay and open again" not in member
    assert "Ada Owner" not in anyone
    assert "Sign in to pay" in anyone


def test_only_the_plans_pages_open_and_only_the_owner_may_pay(suspend, studio_client, engineer):
    suspend()
    pages = {
        path: studio_client.get(path).status_code for path in (PLAN, f"{PLAN}/status", "/app/calendar", "/app/clients", "/app/payments")
    }

    assert pages == {PLAN: 200, f"{PLAN}/status": 200, "/app/calendar": 503, "/app/clients": 503, "/app/payments": 503}
    assert "Only the studio’s owner can change the plan." in words(engineer.get(PLAN))
    assert engineer.post(f"{PLAN}/collection").status_code == 403


def test_what_is_owed_is_shown_with_the_ways_to_pay_it(services, offline_stripe, studio, studio_client):
    account = services.billing.account(studio.key)
    url = account.checkout(plan="starter", interval=Interval.month, success_url="http://x.test/", cancel_url="http://x.test/")
    assert Client(offline_stripe.wsgi_app).post(urlsplit(url).path, data=CARD).status_code == 303
    account.sync()
    api = offline_stripe.client().v1
    customer = next(one.id for one in api.customers.list().data if one.metadata["account"] == studio.key)
    card = api.payment_methods.list({"customer": customer}).data[0].id
    api.customers.update(customer, {"invoice_settings": {"default_payment_method": card}})
    offline_stripe.decline(customer)
    api.invoice_items.create({"customer": customer, "amount": 500, "currency": "eur"})
    owed = api.invoices.create({"customer": customer, "pending_invoice_items_behavior": "include"})
    api.invoices.finalize_invoice(owed.id)
    with pytest.raises(Exception, match="declined"):
        api.invoices.pay(owed.id)
    account.sync()

    shown = words(studio_client.get(PLAN))
    refused = words(studio_client.post(f"{PLAN}/collection", follow_redirects=True))
    offline_stripe.decline(customer, declining=False)
    paid = words(studio_client.post(f"{PLAN}/collection", follow_redirects=True))

    assert "Pay €5.00 now" in shown
    assert "Change the card" in shown
    assert ("refused again" in refused, "Paid. Thank you!" in paid) == (True, True)
    assert "Pay €5.00 now" not in paid
