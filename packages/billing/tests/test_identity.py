"""Who an account is on its invoices, and taxes that follow from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from roomtone_billing import Address, Billing, Interval, InvoicePaid, TaxId
from roomtone_billing.details import check
from roomtone_billing.errors import AccountIsClosing, GatewayRefused, GatewayUnavailable, InvalidDetails, TaxLocationUnknown, UnknownAccount

PAGES = {"success_url": "http://s", "cancel_url": "http://c"}
BERLIN = Address(country="DE", line1="Torstrasse 1", postal_code="10119", city="Berlin")
VAT = TaxId(kind="eu_vat", value="DE 123 456 789")


@pytest.fixture
def account(host):
    host.start_trial()
    host.billing.publish()
    return host.billing.account("a")


@pytest.fixture
def taxed(host):
    """A host that lets Stripe add taxes; its account `a` has a trial and no address."""
    host.billing = Billing(host.engine, catalogue=host.billing.catalogue, gateway=host.gateway, clock=host.clock, automatic_tax=True)
    host.billing.on(InvoicePaid)(lambda session, event: host.told.append(event))
    host.start_trial()
    host.billing.publish()
    return host


def customer(host):
    return host.stripe.api.customers.list({"limit": 1}).data[0]


def test_details_reach_the_customer_at_stripe_and_twice_is_as_good_as_once(host, account):
    for _ in range(2):
        account.update_details(email="new@example.org", name="New GmbH", address=BERLIN, tax_ids=[VAT], language="de")
    found = customer(host)

    assert (found.email, found.name, list(found.preferred_locales)) == ("new@example.org", "New GmbH", ["de"])
    assert (found.address.country, found.address.city, found.address.line2) == ("DE", "Berlin", None)
    assert [(one.tax_id, one.state) for one in account.tax_ids()] == [(VAT.normal, "verified")]
    assert len(host.stripe.api.customers.list().data) == 1


def test_tax_ids_are_replaced_as_a_whole_and_what_is_not_given_stays(host, account):
    account.update_details(address=BERLIN, tax_ids=[VAT, TaxId(kind="gb_vat", value="GB123456789")])
    account.update_details(tax_ids=[TaxId(kind="gb_vat", value="gb 123456789")])
    left = [one.tax_id.value for one in account.tax_ids()]
    account.update_details(name="Other", tax_ids=[])

    assert left == ["GB123456789"]
    assert account.tax_ids() == []
    assert (customer(host).address.country, customer(host).email) == ("DE", "a@example.org")


def test_before_the_first_checkout_a_name_is_kept_here_and_the_customer_is_made_with_it(host, account):
    account.update_details(name="New GmbH", email="new@example.org")
    none_yet = host.stripe.api.customers.list().data
    account.checkout(plan="pro", interval=Interval.month, **PAGES)

    assert none_yet == []
    assert (customer(host).name, customer(host).email) == ("New GmbH", "new@example.org")


@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        ({"email": "nobody"}, "email", "such as name@example.com"),
        ({"name": "  "}, "name", "the name that invoices are for"),
        ({"address": Address(country="Germany")}, "country", "two capital letters, such as DE"),
        ({"language": "German"}, "language", "such as de or pt-BR"),
        ({"tax_ids": [TaxId(kind="eu_vat", value="123")]}, "tax_ids", "such as DE123456789"),
        ({"tax_ids": [TaxId(kind="gb_vat", value="GB12")]}, "tax_ids", "GB and 9 or 12 digits"),
    ],
)
def test_what_cannot_be_right_says_what_to_write_and_changes_nothing(host, account, wrong, field, words):
    with pytest.raises(InvalidDetails, match=words) as refused:
        account.update_details(**{"name": "Other", **wrong})

    assert refused.value.field == field
    assert host.billing._desk("a").row().name == "A"
    assert host.stripe.api.customers.list().data == []


def test_a_tax_id_that_only_stripe_can_tell_is_wrong_is_said_in_its_words(account, host, monkeypatch):
    def refuse(*given: object, **named: object) -> None:
        raise GatewayRefused("Invalid value for au_abn.", "tax_id_invalid")

    monkeypatch.setattr(host.gateway, "add_tax_id", refuse)  # the offline Stripe knows the forms of few kinds
    with pytest.raises(InvalidDetails, match="Stripe cannot read '12' as au_abn"):
        account.update_details(tax_ids=[TaxId(kind="au_abn", value="12")])


def test_an_outage_in_the_middle_is_made_good_by_calling_again(host, account):
    host.stripe.break_down(operation="post /v1/customers/.*/tax_ids")  # it is added, and the answer is lost
    with pytest.raises(GatewayUnavailable):
        account.update_details(address=BERLIN, tax_ids=[VAT])
    account.update_details(address=BERLIN, tax_ids=[VAT])

    assert [one.tax_id for one in account.tax_ids()] == [VAT.normal]


def test_an_unknown_account_and_a_closed_one_have_no_details(host, account):
    with pytest.raises(UnknownAccount):
        host.billing.account("nobody").update_details(name="N")
    with Session(host.engine) as session, session.begin():
        host.billing.close_account(session, "a")
    with pytest.raises(AccountIsClosing):
        account.update_details(name="N")


def test_the_history_says_which_details_changed_and_not_what_they_are(account):
    account.update_details(name="Ada", address=BERLIN)
    (entry,) = [one for one in account.history() if one.what == "update_details"]

    assert entry.after == {"changed": ["name", "address"]}


def test_without_a_country_nothing_is_sold_with_taxes_and_the_error_says_what_to_do(taxed):
    account = taxed.billing.account("a")
    with pytest.raises(TaxLocationUnknown, match=r"update_details\(address=...\) with its country first"):
        account.checkout(plan="pro", interval=Interval.month, **PAGES)
    with pytest.raises(TaxLocationUnknown):
        account.buy("credits-100", **PAGES)


def test_taxes_are_on_the_page_on_the_invoice_and_on_what_is_previewed(taxed):
    account = taxed.billing.account("a")
    account.update_details(address=BERLIN)
    page = account.checkout(plan="starter", interval=Interval.month, **PAGES)
    session = taxed.stripe.api.checkout.sessions.list({"limit": 1}).data[0]
    taxed.stripe.pay_at(page)
    taxed.stripe.pay_at(account.buy("credits-100", **PAGES))
    account.sync()
    taxed.drain()
    preview = account.preview_change("pro")

    assert (session.amount_total, session.total_details.amount_tax, session.automatic_tax.status) == (2261, 361, "complete")
    assert [one.amount_minor for one in taxed.told if isinstance(one, InvoicePaid)] == [2261]
    assert sorted(one.amount_minor for one in account.payments()) == [238, 2261]
    assert preview.next_minor == 5900 * 119 // 100


def test_a_place_that_stripe_does_not_recognise_when_a_change_is_shown_is_the_same_error(taxed):
    account = taxed.billing.account("a")
    account.update_details(address=BERLIN)
    taxed.stripe.pay_at(account.checkout(plan="starter", interval=Interval.month, **PAGES))
    account.sync()
    taxed.stripe.api.customers.update(customer(taxed).id, {"address": ""})
    with pytest.raises(TaxLocationUnknown):
        account.preview_change("pro")


@given(st.from_regex(r"[A-Z]{2}[0-9A-Z]{2,12}", fullmatch=True), st.sampled_from(["", " ", "  "]))
def test_however_a_number_is_spaced_it_is_the_same(value, gap):
    spaced = TaxId(kind="eu_vat", value=gap.join(value).lower())
    check(email=None, name=None, address=None, tax_ids=[spaced], language=None)

    assert spaced.normal == TaxId(kind="eu_vat", value=value)
