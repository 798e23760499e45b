"""Customers at Stripe and the truth about them."""

from __future__ import annotations

from itertools import islice

from ..errors import GatewayRefused
from ..gateway import CustomerOwner
from ..snapshot import Snapshot
from . import translation
from .connection import PAGE_MAX, Connection, asking, plain

# A refund of something older is not noticed.
_LISTED_MAX = 1000


class StripeCustomers(Connection):
    """Customers, and all that is true of one."""

    def fetch(self, customer: str) -> Snapshot:
        """The customer's truth in five calls: itself, its newest 100 subscriptions and invoices, its newest
        1,000 completed checkouts and charges (more calls where there are more than 100)."""
        try:
            with asking():
                found = self._client.customers.retrieve(customer, {"expand": ["invoice_settings.default_payment_method"]}).to_dict()
                if found.get("deleted"):
                    return Snapshot(customer=customer, is_deleted=True)
                subscriptions = self._client.subscriptions.list(
                    {"customer": customer, "status": "all", "limit": PAGE_MAX, "expand": ["data.default_payment_method"]}
                )
                checkouts = self._client.checkout.sessions.list({"customer": customer, "status": "complete", "limit": PAGE_MAX})
                # After the checkouts: a purchase must never be seen without the payment that a refund is counted on.
                charges = self._client.charges.list({"customer": customer, "limit": PAGE_MAX})
                # After the subscriptions: a period must never be seen without the invoice that is to pay for it.
                invoices = self._client.invoices.list({"customer": customer, "limit": PAGE_MAX})
                return translation.snapshot(
                    found,
                    plain(subscriptions.data),
                    plain(invoices.data),
                    checkouts=plain(list(islice(checkouts.auto_paging_iter(), _LISTED_MAX))),
                    charges=plain(list(islice(charges.auto_paging_iter(), _LISTED_MAX))),
                )
        except GatewayRefused as error:
            if error.code == "resource_missing":
                return Snapshot(customer=customer, is_deleted=True)
            raise

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
