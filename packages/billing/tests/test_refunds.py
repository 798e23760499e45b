"""Refunds through the account: never more than was paid, once by their key, and told of with what they take back."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from roomtone_billing import InvoicePaid, InvoiceRefunded, PackRefunded, RefundReason
from roomtone_billing.errors import GatewayUnavailable, KeyReused, NoCustomer, RefundRefused, UnknownPayment


@pytest.fixture
def payer(host):
    """A host whose account `a` has paid 59.00 EUR for a month."""
    for kind in (InvoicePaid, InvoiceRefunded):
        host.billing.on(kind)(lambda session, event: host.told.append(event))
    host.stripe.subscribe(host.customer(), plan="pro")
    host.billing.account("a").sync()
    host.drain()
    return host


def paid(host) -> str:
    return host.billing.account("a").payments()[0].id


def told(host, kind=InvoiceRefunded) -> list[tuple[int, bool]]:
    host.drain()
    return [(event.amount_minor, event.is_full) for event in host.told if isinstance(event, kind)]


def test_a_payment_names_the_invoice_it_paid(payer):
    (found,) = payer.billing.account("a").payments()
    invoice = payer.billing.account("a").invoices()[0]

    assert (found.amount_minor, found.refundable_minor, found.currency) == (5900, 5900, "EUR")
    assert (found.invoice, found.pack) == (invoice.number, None)
    assert [(event.number, event.amount_minor) for event in payer.told if isinstance(event, InvoicePaid)] == [(invoice.number, 5900)]


def test_parts_go_back_until_nothing_is_left(payer):
    account = payer.billing.account("a")
    account.refund(paid(payer), amount_minor=900, key="one", reason=RefundReason.requested_by_customer)
    account.refund(paid(payer), key="rest")

    assert told(payer) == [(900, False), (5000, True)]
    assert account.payments()[0].refundable_minor == 0


def test_more_than_is_left_is_refused_and_a_second_full_refund_too(payer):
    account = payer.billing.account("a")
    with pytest.raises(RefundRefused, match="5900 minor units of it are left"):
        account.refund(paid(payer), amount_minor=5901, key="much")
    with pytest.raises(RefundRefused):
        account.refund(paid(payer), amount_minor=0, key="nothing")
    account.refund(paid(payer), key="one")
    with pytest.raises(RefundRefused, match="0 minor units"):
        account.refund(paid(payer), key="two")

    assert told(payer) == [(5900, True)]


def test_the_same_key_makes_one_refund_and_stands_for_one_amount(payer):
    account = payer.billing.account("a")
    first = account.refund(paid(payer), amount_minor=900, key="k")
    payer.clock.move(days=3)
    again = account.refund(paid(payer), amount_minor=900, key="k")
    with pytest.raises(KeyReused):
        account.refund(paid(payer), amount_minor=800, key="k")

    assert again == first
    assert told(payer) == [(900, False)]


def test_a_lost_answer_makes_no_second_refund(payer):
    payer.stripe.break_down(operation="post /v1/refunds")  # it is made, and the answer is lost
    with pytest.raises(GatewayUnavailable):
        payer.billing.account("a").refund(paid(payer), amount_minor=900, key="k")
    payer.billing.account("a").refund(paid(payer), amount_minor=900, key="k")

    assert told(payer) == [(900, False)]


def test_refunds_at_once_never_give_back_more_than_was_paid(payer):
    payment, together = paid(payer), threading.Barrier(4)

    def go(at: int) -> bool:
        together.wait()
        try:
            payer.billing.account("a").refund(payment, amount_minor=2000, key=f"k{at}")
        except RefundRefused:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(go, range(4)))

    assert made.count(True) == 2
    assert sum(one.amount for one in payer.stripe.api.refunds.list().data) == 4000
    assert sum(amount for amount, _ in told(payer)) == 4000


def test_a_refund_at_stripes_dashboard_is_told_of_as_well(payer):
    payer.stripe.api.refunds.create({"payment_intent": paid(payer), "amount": 100})
    payer.billing.account("a").sync()

    assert told(payer) == [(100, False)]


def test_a_packs_payment_goes_back_as_a_pack(payer):
    payer.stripe.pay_at(payer.billing.account("a").buy("credits-300", success_url="http://s", cancel_url="http://c"))
    payer.billing.account("a").sync()
    bought = next(one for one in payer.billing.account("a").payments() if one.pack == "credits-300")
    payer.billing.account("a").refund(bought.id, key="k")

    assert told(payer, PackRefunded) == [(500, True)]
    assert told(payer) == []


def test_somebody_elses_payment_is_not_ours_to_give_back(payer):
    payer.customer("b")
    with pytest.raises(UnknownPayment):
        payer.billing.account("b").refund(paid(payer), key="k")
    payer.start_trial("c")
    with pytest.raises(NoCustomer):
        payer.billing.account("c").refund(paid(payer), key="k")


def test_what_the_cardholder_disputes_is_not_given_back_as_well(payer):
    account = payer.billing.account("a")
    payer.stripe.pay_at(account.buy("credits-300", success_url="http://s", cancel_url="http://c"), "4000000000000259")
    payer.clock.move(hours=1)
    account.sync()
    disputed = next(one for one in account.payments() if one.pack == "credits-300")

    with pytest.raises(RefundRefused, match="charged back"):
        account.refund(disputed.id, key="k")
