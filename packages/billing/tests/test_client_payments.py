"""What is told of a client's payment follows from what is true of it and what was told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from roomtone_billing import ConnectState
from roomtone_billing.client_payments import (
    ClientPaymentState,
    ClientTruth,
    Dispute,
    Refund,
    Sale,
    Seller,
    announce,
    seller_from_json,
    seller_to_json,
    truth_from_json,
    truth_to_json,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TRUTH = ClientTruth(
    state=ClientPaymentState.paid,
    payment="pi_1",
    refunds=(Refund(id="re_1", amount_minor=300, is_done=True), Refund(id="re_2", amount_minor=200, is_done=False)),
    disputes=(Dispute(id="du_1", amount_minor=1000, reason="fraudulent", is_won=False),),
)


def sale(stripe_account: str = "acct_a") -> Sale:
    return Sale(
        account="a", stripe_account=stripe_account, reference="invoice:1", checkout="cs_1", amount_minor=1000, currency="EUR", fee_minor=50
    )


def test_each_fact_is_told_once():
    first = announce((), sale(), TRUTH, now=NOW)
    told = [event.key for event in first]

    assert [type(event).__name__ for event in first] == [
        "ClientPaymentSucceeded",
        "ClientPaymentRefunded",
        "ClientPaymentDisputed",
        "ClientDisputeClosed",
    ]
    assert announce(told, sale(), TRUTH, now=NOW) == ()
    assert TRUTH.refunded_minor == 300


def test_pitfall_60_the_same_ids_in_two_accounts_are_two_facts():
    keys = [{event.key for event in announce((), sale(account), TRUTH, now=NOW)} for account in ("acct_a", "acct_b")]

    assert keys[0] & keys[1] == set()


@pytest.mark.parametrize(
    ("state", "is_settled", "told"),
    [("open", False, []), ("processing", False, []), ("failed", True, ["ClientPaymentFailed"]), ("expired", True, [])],
)
def test_pitfall_44_nothing_is_told_as_paid_before_the_bank_has_paid(state, is_settled, told):
    truth = ClientTruth(state=ClientPaymentState(state))

    assert truth.is_settled is is_settled
    assert [type(event).__name__ for event in announce((), sale(), truth, now=NOW)] == told


@pytest.mark.parametrize(
    ("seller", "state"),
    [
        (Seller(), ConnectState.onboarding),
        (Seller(details_submitted=True), ConnectState.restricted),
        (Seller(details_submitted=True, charges_enabled=True), ConnectState.ready),
        (Seller(details_submitted=True, charges_enabled=True, has_left=True), ConnectState.deauthorised),
    ],
)
def test_an_account_is_ready_when_it_can_charge_and_has_not_left(seller, state):
    assert seller.state is state


def test_truths_are_stored_whole():
    seller = Seller(due=("business_profile.url",), deadline=NOW)

    assert truth_from_json(truth_to_json(TRUTH)) == TRUTH
    assert seller_from_json(seller_to_json(seller)) == seller
    assert seller_from_json(None) == Seller()
