"""Customers at Stripe and the truth about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from ..errors import GatewayRefused
from ..gateway import CustomerOwner
from ..snapshot import PriceRef, Snapshot
from . import translation
from .connection import PAGE_MAX, asking, plain
from .credit_notes import StripeCreditNotes
from .disputes import StripeDisputes

# A refund of something older is not noticed.
_LISTED_MAX = 1000
# What a listed subscription must show whole for `translation.subscription` to read all of it.
EXPANDED = ("data.default_payment_method", "data.schedule", "data.discounts.source.coupon")
# Of one customer's subscriptions with failed payments or with schedules, so many are asked about: more is not one customer.
_ASKED_MAX = 5


class StripeCustomers(StripeCreditNotes, StripeDisputes):
    """Customers, and all that is true of one."""

    def fetch(self, customer: str) -> Snapshot:
        """The customer's truth in five calls: itself, its newest 100 subscriptions and invoices, its newest
        1,000 completed checkouts and charges (more calls where there are more than 100).

        One more for a payment that failed in the newest invoice of a subscription, one for a price that a schedule will bring, one for
        each of its newest 20 disputed charges, and one for its credit notes once there are any.
        """
        try:
            with asking():
                found = self._client.customers.retrieve(customer, {"expand": ["invoice_settings.default_payment_method"]}).to_dict()
                if found.get("deleted"):
                    return self._deleted(customer)
                listed = plain(
                    self._client.subscriptions.list(
                        {"customer": customer, "status": "all", "limit": PAGE_MAX, "expand": list(EXPANDED)}
                    ).data
                )
                checkouts = self._client.checkout.sessions.list({"customer": customer, "status": "complete", "limit": PAGE_MAX})
                # After the checkouts: a purchase must never be seen without the payment that a refund is counted on.
                charges = self._client.charges.list({"customer": customer, "limit": PAGE_MAX})
                # After the subscriptions: a period must never be seen without the invoice that is to pay for it.
                invoices = plain(self._client.invoices.list({"customer": customer, "limit": PAGE_MAX, "expand": ["data.payments"]}).data)
                taken = plain(list(islice(charges.auto_paging_iter(), _LISTED_MAX)))
                return translation.snapshot(
                    found,
                    listed,
                    invoices,
                    checkouts=plain(list(islice(checkouts.auto_paging_iter(), _LISTED_MAX))),
                    charges=taken,
                    disputes=self._disputes(taken),
                    credit_notes=self._credit_notes_of(customer, invoices),
                    needing_action=self._needing_action(listed, invoices),
                    prices=self._scheduled_prices(listed),
                )
        except GatewayRefused as error:
            if error.code == "resource_missing":
                return Snapshot(customer=customer, is_deleted=True)
            raise

    def _deleted(self, customer: str) -> Snapshot:
        """What is left of a deleted customer: the subscriptions that ended with it, in case nobody had heard of them."""
        left = self._client.subscriptions.list({"customer": customer, "status": "all", "limit": PAGE_MAX, "expand": list(EXPANDED)})
        subscriptions = tuple(translation.subscription(one) for one in plain(left.data))
        return Snapshot(customer=customer, subscriptions=subscriptions, is_deleted=True)

    def owner(self, customer: str) -> CustomerOwner:
        """Whose customer it is, by its metadata; nobody's when it is gone."""
        try:
            with asking():
                found = self._client.customers.retrieve(customer).to_dict()
        except GatewayRefused as error:
            if error.code != "resource_missing":
                raise
            found = {}
        metadata = found.get("metadata") or {}
        return CustomerOwner(account=metadata.get("account"), token=metadata.get("token"))

    def create_customer(self, *, account: str, token: str, email: str, name: str, key: str) -> str:
        """Make the account's customer, marked with whose it is; returns its id."""
        with asking():
            made = self._client.customers.create(
                {"email": email, "name": name, "metadata": {"account": account, "token": token}}, {"idempotency_key": key}
            )
            return made.id

    def _needing_action(self, subscriptions: Sequence[Mapping[str, Any]], invoices: Sequence[Mapping[str, Any]]) -> frozenset[str]:
        """Which of the newest open invoices the bank wants confirmed: an invoice does not say so itself, its payment does."""
        newest = {one.get("latest_invoice") for one in subscriptions}
        tried = [one["id"] for one in invoices if one["id"] in newest and one["status"] == "open" and one.get("attempted")]
        found = set()
        for invoice in tried[:_ASKED_MAX]:
            payments = self._client.invoice_payments.list({"invoice": invoice, "expand": ["data.payment.payment_intent"]})
            for payment in plain(payments.data):
                intent = payment["payment"].get("payment_intent")
                if isinstance(intent, Mapping) and intent["status"] == "requires_action":
                    found.add(invoice)
        return frozenset(found)

    def _scheduled_prices(self, subscriptions: Sequence[Mapping[str, Any]]) -> dict[str, PriceRef]:
        names = translation.scheduled_prices(subscriptions)[:_ASKED_MAX]
        return {name: translation.price(self._client.prices.retrieve(name).to_dict()) for name in names}
