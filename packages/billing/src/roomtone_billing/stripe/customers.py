"""Customers at Stripe and the truth about them."""

from __future__ import annotations

from ..errors import GatewayRefused
from ..gateway import CustomerOwner
from ..snapshot import Snapshot
from . import translation
from .connection import PAGE_MAX, Connection, asking, plain


class StripeCustomers(Connection):
    """Customers, and all that is true of one."""

    def fetch(self, customer: str) -> Snapshot:
        """The customer's truth in three calls: itself, its newest 100 subscriptions, its newest 100 invoices."""
        try:
            with asking():
                found = self._client.customers.retrieve(customer, {"expand": ["invoice_settings.default_payment_method"]}).to_dict()
                if found.get("deleted"):
                    return Snapshot(customer=customer, is_deleted=True)
                subscriptions = self._client.subscriptions.list(
                    {"customer": customer, "status": "all", "limit": PAGE_MAX, "expand": ["data.default_payment_method"]}
                )
                # After the subscriptions: a period must never be seen without the invoice that is to pay for it.
                invoices = self._client.invoices.list({"customer": customer, "limit": PAGE_MAX})
                return translation.snapshot(found, plain(subscriptions.data), plain(invoices.data))
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
