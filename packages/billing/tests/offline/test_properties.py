"""After any sequence of operations: money adds up, every object is one that Stripe could have sent, and a restart changes nothing."""

import contextlib
import tempfile
from pathlib import Path

import pytest
import stripe
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from roomtone_billing.offline.store import Store

PUBLIC = (
    "billing_portal.configuration",
    "billing_portal.session",
    "charge",
    "checkout.session",
    "coupon",
    "credit_note",
    "customer",
    "customer_balance_transaction",
    "discount",
    "event",
    "invoice",
    "invoice_payment",
    "payment_intent",
    "payment_method",
    "price",
    "product",
    "refund",
    "subscription",
    "tax_rate",
)
CARDS = ("pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired")
NUMBERS = ("4242424242424242", "4000000000000341", "4000000000000002", "4000002500003155")


def money_problems(store):
    """Sentences about amounts that do not add up."""
    found = []
    for invoice in store.all("invoice"):
        name = f"{invoice['id']} ({invoice['status']})"
        lines = invoice["lines"]["data"]
        off = sum(each["amount"] for line in lines for each in line["discount_amounts"])
        tax = sum(each["amount"] for line in lines for each in line["taxes"] if each["tax_behavior"] == "exclusive")
        if invoice["total"] != sum(line["amount"] for line in lines) - off + tax:
            found.append(f"{name}: total is not the sum of the lines")
        if invoice["amount_paid"] + invoice["amount_remaining"] != invoice["amount_due"]:
            found.append(f"{name}: paid and remaining are not what is due")
        if (
            invoice["status"] in ("open", "paid", "void")
            and invoice["amount_due"] + invoice["pre_payment_credit_notes_amount"]
            != invoice["total"] + invoice["starting_balance"] - invoice["ending_balance"]
        ):
            found.append(f"{name}: the balance it used does not explain what is due")
        if invoice["status"] == "paid" and invoice["amount_remaining"]:
            found.append(f"{name}: paid with a remainder")
    for customer in store.all("customer"):
        taken = sum(each["amount"] for each in store.where("charge", customer=customer["id"], paid=True))
        settled = sum(each["amount_paid"] - each["amount_paid_off_stripe"] for each in store.where("invoice", customer=customer["id"]))
        if taken != settled:
            found.append(f"{customer['id']}: {taken} charged, {settled} settled")
        moved = list(store.where("customer_balance_transaction", customer=customer["id"]))
        if not customer.get("deleted") and customer["balance"] != sum(each["amount"] for each in moved):
            found.append(f"{customer['id']}: balance {customer['balance']} is not what moved it")
    for charge in store.all("charge"):
        back = sum(each["amount"] for each in store.where("refund", charge=charge["id"]))
        if back != charge["amount_refunded"] or back > charge["amount_captured"]:
            found.append(f"{charge['id']}: {back} refunded of {charge['amount_captured']}")
    for invoice in store.all("invoice"):
        credited = sum(each["total"] for each in store.where("credit_note", invoice=invoice["id"], status="issued"))
        if credited > max(0, invoice["total"]):
            found.append(f"{invoice['id']}: {credited} credited of {invoice['total']}")
    return found


def shape_problems(store, judge):
    """Sentences about objects that Stripe's document refuses, payloads included."""
    found = [problem for kind in PUBLIC for each in store.all(kind) if not each.get("deleted") for problem in judge.problems(each)]
    for event in store.all("event"):
        value = event["data"]["object"]
        if "id" in value:
            found += [f"{event['type']}: {problem}" for problem in judge.problems(value)]
    return found


@pytest.fixture
def machine(make_sandbox, judge, tmp_path):
    class Business(RuleBasedStateMachine):
        customers = Bundle("customers")
        subscriptions = Bundle("subscriptions")

        @initialize()
        def open_shop(self):
            self.file = Path(tempfile.mkdtemp(dir=tmp_path)) / "store.sqlite"
            self.sandbox = make_sandbox(store=self.file)
            self.prices = [self.sandbox.price(1900), self.sandbox.price(4900), self.sandbox.price(19000, interval="year")]

        @rule(target=customers, card=st.sampled_from(CARDS))
        def come(self, card):
            return self.sandbox.customer(card).id

        @rule(
            target=subscriptions, customer=customers, price=st.integers(0, 2), trial=st.sampled_from([0, 0, 5]), quantity=st.integers(1, 3)
        )
        def subscribe(self, customer, price, trial, quantity):
            items = [{"price": self.prices[price].id, "quantity": quantity}]
            more = {"trial_period_days": trial} if trial else {}
            return self.sandbox.v1.subscriptions.create({"customer": customer, "items": items, **more}).id

        @rule(customer=customers, price=st.integers(0, 2), number=st.sampled_from(NUMBERS), answer=st.sampled_from(["pass", "fail"]))
        def check_out(self, customer, price, number, answer):
            lines = [{"price": self.prices[price].id, "quantity": 1}]
            session = self.sandbox.v1.checkout.sessions.create({"mode": "subscription", "customer": customer, "line_items": lines})
            page = self.sandbox.path(session.url)
            self.sandbox.browser.post(page, data={"number": number, "expiry": "12/34", "cvc": "123", "name": "A"})
            self.sandbox.browser.post(f"{page}/confirm", data={"answer": answer})

        @rule(
            subscription=subscriptions,
            price=st.integers(0, 2),
            quantity=st.integers(1, 3),
            behavior=st.sampled_from(["always_invoice", "create_prorations", "none"]),
            must_pay=st.booleans(),
        )
        def change_plan(self, subscription, price, quantity, behavior, must_pay):
            item = self.sandbox.v1.subscriptions.retrieve(subscription)["items"].data[0].id
            payment = "error_if_incomplete" if must_pay else "allow_incomplete"
            with contextlib.suppress(stripe.CardError, stripe.InvalidRequestError):
                self.sandbox.v1.subscriptions.update(
                    subscription,
                    {
                        "items": [{"id": item, "price": self.prices[price].id, "quantity": quantity}],
                        "proration_behavior": behavior,
                        "payment_behavior": payment,
                    },
                )

        @rule(subscription=subscriptions, at_end=st.booleans())
        def cancel(self, subscription, at_end):
            with contextlib.suppress(stripe.InvalidRequestError):
                if at_end:
                    self.sandbox.v1.subscriptions.update(subscription, {"cancel_at_period_end": True})
                else:
                    self.sandbox.v1.subscriptions.cancel(subscription)

        @rule(customer=customers, declining=st.booleans())
        def decline(self, customer, declining):
            self.sandbox.offline.decline(customer, declining=declining)

        @rule(verb=st.sampled_from(["pay", "void_invoice"]))
        def settle(self, verb):
            for invoice in self.sandbox.v1.invoices.list({"status": "open"}).data:
                with contextlib.suppress(stripe.CardError, stripe.InvalidRequestError):
                    getattr(self.sandbox.v1.invoices, verb)(invoice.id)

        @rule(part=st.integers(1, 5000))
        def refund(self, part):
            for charge in self.sandbox.v1.charges.list({"limit": 1}).data:
                with contextlib.suppress(stripe.InvalidRequestError):
                    self.sandbox.v1.refunds.create({"charge": charge.id, "amount": part})

        @rule(part=st.integers(1, 3000), how=st.sampled_from(["refund_amount", "credit_amount", None]))
        def credit(self, part, how):
            for invoice in self.sandbox.v1.invoices.list({"limit": 1}).data:
                with contextlib.suppress(stripe.StripeError):
                    self.sandbox.v1.credit_notes.create({"invoice": invoice.id, "amount": part, **({how: part} if how else {})})

        @rule(customer=customers, amount=st.integers(-3000, 3000))
        def give_balance(self, customer, amount):
            self.sandbox.v1.customers.balance_transactions.create(customer, {"amount": amount, "currency": "eur"})

        @rule(subscription=subscriptions, percent=st.integers(1, 100), duration=st.sampled_from(["once", "forever"]))
        def discount(self, subscription, percent, duration):
            coupon = self.sandbox.v1.coupons.create({"percent_off": percent, "duration": duration})
            with contextlib.suppress(stripe.InvalidRequestError):
                self.sandbox.v1.subscriptions.update(subscription, {"discounts": [{"coupon": coupon.id}]})

        @rule(subscription=subscriptions, percent=st.sampled_from([5.5, 20]), is_inside=st.booleans())
        def tax(self, subscription, percent, is_inside):
            rate = self.sandbox.v1.tax_rates.create({"display_name": "VAT", "percentage": percent, "inclusive": is_inside})
            with contextlib.suppress(stripe.InvalidRequestError):
                self.sandbox.v1.subscriptions.update(subscription, {"default_tax_rates": [rate.id]})

        @rule(subscription=subscriptions, behavior=st.sampled_from(["void", "keep_as_draft", "mark_uncollectible", ""]))
        def pause(self, subscription, behavior):
            with contextlib.suppress(stripe.InvalidRequestError):
                asked = {"behavior": behavior} if behavior else ""
                self.sandbox.v1.subscriptions.update(subscription, {"pause_collection": asked})

        @rule(hours=st.sampled_from([1, 25, 24 * 8, 24 * 31, 24 * 70]))
        def wait(self, hours):
            self.sandbox.offline.advance(hours * 3600)

        @rule()
        def deliver(self):
            self.sandbox.offline.deliver()

        @invariant()
        def money_adds_up(self):
            if hasattr(self, "sandbox"):
                assert money_problems(self.sandbox.offline.world.store) == []

        def teardown(self):
            if not hasattr(self, "sandbox"):
                return
            store = self.sandbox.offline.world.store
            assert shape_problems(store, judge) == []
            self.sandbox.offline.close()
            again = Store(self.file)
            assert {kind: again.all(kind) for kind in PUBLIC} == {kind: store.all(kind) for kind in PUBLIC}
            again.close()

    return Business


def test_whatever_happens_money_adds_up_and_objects_are_stripes(machine):
    profile = settings(max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(machine, settings=profile)
