"""Accounts that take money from their own clients. Every call says which of them it acts for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ..client_payments import ClientPaymentState, ClientTruth, Sale, Seller
from .checkouts import CheckoutPage


@dataclass(frozen=True, kw_only=True)
class ClientOffer:
    """A page for a client: `description` is what is paid for, addresses are where the client comes back to."""

    description: str
    success_url: str
    cancel_url: str
    email: str | None = None
    locale: str | None = None


@dataclass(frozen=True, kw_only=True)
class SellerPage:
    """A hundred connected accounts at the most, newest first, by their ids; `last` is where the next page begins."""

    sellers: Mapping[str, Seller]
    last: str | None


@dataclass(frozen=True, kw_only=True)
class ListedPayment:
    """A client's payment in a list: how much went back, and whether it was ever disputed, are all that a list says of it."""

    state: ClientPaymentState
    payment: str | None
    refunded_minor: int
    is_disputed: bool


@dataclass(frozen=True, kw_only=True)
class PaymentPage:
    """A hundred pages for clients at the most, newest first, by their ids; `last` is where the next page begins."""

    payments: Mapping[str, ListedPayment]
    last: str | None


class ConnectGateway(Protocol):
    """Onboarding, pages and refunds, each in the name of one connected account; and lists."""

    def create_seller(self, *, account: str, token: str, country: str, email: str, key: str) -> str:
        """Make the connected account, marked with whose it is; returns its id."""

    def onboarding_page(self, stripe_account: str, *, return_url: str, refresh_url: str) -> str:
        """A page that asks for all Stripe lacks; good for minutes and once. Returns its address."""

    def fetch_seller(self, stripe_account: str) -> Seller:
        """What is true of the connected account now; one that left has left, which is no error."""

    def open_client_page(self, sale: Sale, offer: ClientOffer, *, key: str) -> CheckoutPage:
        """Open a page on which the client pays the connected account, less our fee. `sale.checkout` is not yet known."""

    def close_client_page(self, stripe_account: str, checkout: str) -> None:
        """Close a page. Raises `GatewayRefused` when it is paid or expired."""

    def fetch_client_payment(self, stripe_account: str, checkout: str) -> ClientTruth:
        """What is true of the payment behind a page now."""

    def refund_client(self, stripe_account: str, payment: str, *, amount_minor: int | None, returns_fee: bool, key: str) -> None:
        """Give a part, or all that is left, back to the client, and with it our fee's share to the connected account."""

    def sellers(self, *, after: str | None = None) -> SellerPage:
        """All connected accounts, those of others too, from after that one on. One call."""

    def client_payments(self, stripe_account: str, *, after: str | None = None) -> PaymentPage:
        """All of an account's pages, those we did not open too, from after that one on. One call."""
