"""Credit notes: of what is paid and of what is owed, never more than that, once by their key."""

from __future__ import annotations

import pytest

from roomtone_billing import CreditReason, CreditTo, InvoicePaid, InvoiceRefunded, Phase, SubscriptionStarted
from roomtone_billing.errors import CreditRefused, GatewayUnavailable, KeyReused, MalformedTruth, RefundRefused, UnknownInvoice
from roomtone_billing.stripe.credit_notes import credit_note


@pytest.fixture
def listening(host):
    for kind in (InvoicePaid, InvoiceRefunded):
        host.billing.on(kind)(lambda session, event: host.told.append(event))
    return host


@pytest.fixture
def payer(listening):
    """A host whose account `a` has paid 59.00 EUR for a month."""
    listening.stripe.subscribe(listening.customer(), plan="pro")
    listening.billing.account("a").sync()
    listening.drain()
    return listening


@pytest.fixture
def debtor(listening):
    """A host whose account `a` has a month on Pro whose renewal is not paid."""
    subscription = listening.stripe.subscribe(listening.customer(), plan="pro")
    listening.stripe.renew(subscription, is_paid=False)
    listening.billing.account("a").sync()
    listening.drain()
    return listening


def told(host, kind=InvoiceRefunded) -> list[int]:
    host.drain()
    return [event.amount_minor for event in host.told if isinstance(event, kind)]


def newest(host):
    return host.billing.account("a").invoices()[0]


def test_a_paid_invoice_gives_back_to_the_card_and_shows_its_credit_notes(payer):
    account, invoice = payer.billing.account("a"), newest(payer)
    part = account.credit_note(
        invoice.number, amount_minor=900, memo="two days down", reason=CreditReason.product_unsatisfactory, key="one"
    )
    account.credit_note(invoice.id, key="rest")
    after = newest(payer)

    assert told(payer) == [900, 5000]
    assert [one.amount for one in payer.stripe.api.refunds.list().data] == [5000, 900]
    assert (after.returned_minor, [one.amount_minor for one in after.credit_notes]) == (5900, [5000, 900])
    assert (part.number, after.credit_notes[1].memo) == (after.credit_notes[1].number, "two days down")
    assert account.payments()[0].refundable_minor == 0


@pytest.mark.parametrize("to", [CreditTo.balance, CreditTo.elsewhere])
def test_what_is_credited_without_a_refund_is_told_of_and_cannot_be_refunded_as_well(payer, to):
    account = payer.billing.account("a")
    account.credit_note(newest(payer).id, amount_minor=5000, to=to, key="k")
    payment = account.payments()[0]
    with pytest.raises(RefundRefused, match="900 minor units of it are left"):
        account.refund(payment.id, amount_minor=901, key="too much")
    account.refund(payment.id, key="rest")

    assert told(payer) == [5000, 900]
    assert payer.stripe.api.refunds.list().data[0].amount == 900
    balance = payer.stripe.api.customers.list().data[0].balance
    assert balance == (-5000 if to is CreditTo.balance else 0)


def test_an_open_invoice_asks_for_less_and_is_paid_so(debtor):
    account, invoice = debtor.billing.account("a"), newest(debtor)
    account.credit_note(invoice.id, amount_minor=900, key="k")
    lowered = newest(debtor)
    debtor.stripe.pay(account.subscriptions()[0].id)
    account.sync()

    assert (lowered.payable_minor, lowered.status, lowered.returned_minor) == (5000, "open", 0)
    assert told(debtor, InvoicePaid) == [5900, 5000]
    assert told(debtor) == []


def test_an_open_invoice_credited_in_full_ends_the_debt_and_is_no_payment(debtor):
    account = debtor.billing.account("a")
    before = account.access().phase
    account.credit_note(newest(debtor).id, key="k")

    assert (before, account.access().phase) == (Phase.grace, Phase.active)
    assert (newest(debtor).status, newest(debtor).payable_minor) == ("paid", 0)
    assert told(debtor, InvoicePaid) == [5900]
    assert len(debtor.keys(SubscriptionStarted)) == 1


def test_more_than_is_left_or_a_void_invoice_is_refused(debtor):
    account, invoice = debtor.billing.account("a"), newest(debtor)
    with pytest.raises(CreditRefused, match="5900 minor units of it are left"):
        account.credit_note(invoice.id, amount_minor=5901, key="much")
    with pytest.raises(CreditRefused):
        account.credit_note(invoice.id, amount_minor=0, key="nothing")
    debtor.stripe.api.invoices.void_invoice(invoice.id)
    with pytest.raises(CreditRefused, match="0 minor units"):
        account.credit_note(invoice.id, key="void")

    assert newest(debtor).credit_notes == ()


def test_the_same_key_makes_one_credit_note_also_after_a_lost_answer_and_days(payer):
    account, invoice = payer.billing.account("a"), newest(payer).id
    payer.stripe.break_down(operation="post /v1/credit_notes")  # it is made, and the answer is lost
    with pytest.raises(GatewayUnavailable):
        account.credit_note(invoice, amount_minor=900, key="k")
    payer.clock.move(days=3)
    again = account.credit_note(invoice, amount_minor=900, key="k")
    with pytest.raises(KeyReused):
        account.credit_note(invoice, amount_minor=800, key="k")

    assert told(payer) == [900]
    assert again.key == "k"


def test_a_part_of_an_invoice_with_a_discount_is_refused_and_the_whole_is_credited(listening):
    api = listening.stripe.api
    coupon = api.coupons.create({"percent_off": 50, "duration": "once"}).id
    customer = listening.customer()
    card = api.payment_methods.attach("pm_card_visa", {"customer": customer}).id
    price = api.prices.list({"lookup_keys": ["pro_month"]}).data[0].id
    api.subscriptions.create(
        {"customer": customer, "items": [{"price": price}], "default_payment_method": card, "discounts": [{"coupon": coupon}]}
    )
    account = listening.billing.account("a")
    account.sync()
    with pytest.raises(CreditRefused, match="line by line"):
        account.credit_note(newest(listening).id, amount_minor=100, key="part")
    whole = account.credit_note(newest(listening).id, key="whole")

    assert (whole.amount_minor, told(listening)) == (2950, [2950])


def test_a_credit_note_made_at_the_dashboard_is_seen_and_a_void_one_counts_no_more(debtor):
    note = debtor.stripe.api.credit_notes.create({"invoice": newest(debtor).id, "amount": 900})
    account = debtor.billing.account("a")
    account.sync()
    lowered = newest(debtor).payable_minor
    debtor.stripe.api.credit_notes.void_credit_note(note.id)
    account.sync()

    assert (lowered, newest(debtor).payable_minor, newest(debtor).credit_notes) == (5000, 5900, ())


def test_somebody_elses_invoice_is_not_ours_to_credit(payer):
    payer.customer("b")
    with pytest.raises(UnknownInvoice):
        payer.billing.account("b").credit_note(newest(payer).id, key="k")


def test_a_credit_note_that_cannot_be_read_is_an_error():
    with pytest.raises(MalformedTruth, match="cn_1"):
        credit_note({"id": "cn_1"})
