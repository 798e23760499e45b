"""The portal is part of the catalogue: published like prices, never offering what our own flow must do."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError
from sqlalchemy.orm import Session
from werkzeug.test import Client

from roomtone_billing import Billing, Portal
from roomtone_billing.errors import PortalNotPublished

WANTED = Portal(details=frozenset({"email", "tax_id"}), headline="Studio, quiet", terms_url="https://example.com/terms")


def with_portal(host, portal: Portal | None) -> Billing:
    return Billing(host.engine, catalogue=replace(host.billing.catalogue, portal=portal), gateway=host.gateway, clock=host.clock)


def configurations(host) -> list:
    return host.stripe.api.billing_portal.configurations.list({"active": True}).data


def page(host, url: str) -> str:
    return Client(host.stripe.offline.wsgi_app).get(urlsplit(url).path).text


def test_it_is_made_once_and_then_agrees(host):
    billing = with_portal(host, WANTED)

    assert "create portal" in billing.publish()
    assert (billing.publish(), billing.publication(), len(configurations(host))) == ([], (), 1)
    assert host.gateway.find_portal().portal == WANTED


def test_what_somebody_switched_on_or_off_in_the_dashboard_is_brought_back(host):
    billing = with_portal(host, WANTED)
    billing.publish()
    features = {"subscription_cancel": {"enabled": True}, "payment_method_update": {"enabled": False}}
    host.stripe.api.billing_portal.configurations.update(configurations(host)[0].id, {"features": features})

    [change] = billing.publication()

    assert str(change) == "update portal: card, it offers to change or end plans"
    assert change.to_json()["before"]["offers_more"]
    billing.publish()
    assert billing.publication() == ()
    assert len(configurations(host)) == 1


def test_another_portal_in_the_catalogue_changes_it(host):
    with_portal(host, WANTED).publish()
    changed = with_portal(host, replace(WANTED, invoices=False, details=frozenset(), headline=None))

    assert changed.publish() == ["update portal: invoices, details"]
    assert changed.publish() == []


def test_a_catalogue_without_a_portal_leaves_stripes_alone(host):
    assert [change for change in host.billing.publication() if "portal" in str(change)] == []
    host.billing.publish()

    assert configurations(host) == []


def test_customers_get_ours_which_neither_changes_nor_ends_plans(host):
    account, _subscription = host.subscribed()
    theirs = page(host, account.portal(return_url="http://r"))
    billing = with_portal(host, WANTED)
    ours_account = billing.account(account.account)
    with pytest.raises(PortalNotPublished, match="catalog apply"):
        ours_account.portal(return_url="http://r")
    billing.publish()
    ours = page(host, ours_account.portal(return_url="http://r"))

    assert ("Change plan" in theirs, "Cancel subscription" in theirs) == (True, True)
    assert ("Change plan" in ours, "Cancel subscription" in ours, "Change card" in ours) == (False, False, True)


def test_two_that_publish_at_once_make_one(host):
    host.gateway.put_portal(WANTED, id=None)
    host.gateway.put_portal(WANTED, id=None)

    assert len(configurations(host)) == 1


@pytest.mark.parametrize("wrong", [{"details": frozenset({"shoe_size"})}, {"headline": "x" * 61}, {"terms_url": "terms"}, {"cards": True}])
def test_nonsense_is_refused_where_it_is_written(wrong):
    with pytest.raises((ValidationError, TypeError)):
        Portal(**wrong)


def test_an_unknown_account_has_no_portal(host):
    with Session(host.engine) as session, session.begin():
        host.billing.open_account(session, "new", email="n@example.org", name="N")
    with pytest.raises(Exception, match="first checkout"):
        with_portal(host, WANTED).account("new").portal(return_url="http://r")
