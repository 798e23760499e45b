"""Connected accounts: direct charges with an application fee.

Every call is made with the platform's key and the `Stripe-Account` header. Source: https://docs.stripe.com/connect/direct-charges
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..client_payments import ClientPaymentState, ClientTruth, Dispute, Refund, Sale, Seller
from ..errors import GatewayRefused, MalformedTruth
from ..gateway import CheckoutPage, ClientOffer
from ..gateway.connect import ListedPayment, PaymentPage, SellerPage
from .connection import PAGE_MAX, Connection, asking, plain

# What Stripe says when an account has taken our access away, or is gone.
_LEFT = {"account_invalid", "platform_account_required", "resource_missing"}


class StripeConnect(Connection):
    """Connected accounts, their clients' pages and refunds."""

    def create_seller(self, *, account: str, token: str, country: str, email: str, key: str) -> str:
        """Make an account that has a dashboard of its own and bears its own losses."""
        params: Any = {  # Any: the SDK wants the country and the type as literals; Stripe checks them
            "type": "standard",
            "country": country,
            "email": email,
            "metadata": {"account": account, "token": token},
        }
        with asking():
            return self._client.accounts.create(params, {"idempotency_key": key}).id

    def onboarding_page(self, stripe_account: str, *, return_url: str, refresh_url: str) -> str:
        """Make an account link, which is the platform's call about the account."""
        with asking():
            made = self._client.account_links.create(
                {"account": stripe_account, "type": "account_onboarding", "return_url": return_url, "refresh_url": refresh_url}
            )
            return made.url

    def fetch_seller(self, stripe_account: str) -> Seller:
        """Retrieve the account."""
        try:
            with asking():
                found = self._client.accounts.retrieve(stripe_account, {}, {"stripe_account": stripe_account}).to_dict()
                return _seller(found)
        except GatewayRefused as error:
            if error.code in _LEFT:
                return Seller(has_left=True)
            raise

    def open_client_page(self, sale: Sale, offer: ClientOffer, *, key: str) -> CheckoutPage:
        """Open a Checkout session on the connected account."""
        metadata = {"account": sale.account, "reference": sale.reference}
        price = {"currency": sale.currency.lower(), "unit_amount": sale.amount_minor, "product_data": {"name": offer.description}}
        intent: dict[str, Any] = {"metadata": metadata}
        if sale.fee_minor:
            intent["application_fee_amount"] = sale.fee_minor
        params: Any = {  # Any: the SDK wants the locale as one of its literals; Stripe checks it
            "mode": "payment",
            "client_reference_id": sale.reference,
            "line_items": [{"price_data": price, "quantity": 1}],
            "payment_intent_data": intent,
            "metadata": metadata,
            "success_url": offer.success_url,
            "cancel_url": offer.cancel_url,
        }
        for name, value in (("customer_email", offer.email), ("locale", offer.locale)):
            if value is not None:
                params[name] = value
        with asking():
            made = self._client.checkout.sessions.create(params, {"idempotency_key": key, "stripe_account": sale.stripe_account})
        if made.url is None:
            raise MalformedTruth(f"checkout session {made.id}", "it has no url")
        return CheckoutPage(id=made.id, url=made.url)

    def close_client_page(self, stripe_account: str, checkout: str) -> None:
        """Expire the session."""
        with asking():
            self._client.checkout.sessions.expire(checkout, {}, {"stripe_account": stripe_account})

    def fetch_client_payment(self, stripe_account: str, checkout: str) -> ClientTruth:
        """The session with its payment, then the refunds and disputes of it."""
        own: Any = {"stripe_account": stripe_account}  # Any: the SDK's options
        with asking():
            session = self._client.checkout.sessions.retrieve(checkout, {"expand": ["payment_intent"]}, own).to_dict()
            intent = session.get("payment_intent") or {}
            state = _state(session, intent)
            if not intent or state is not ClientPaymentState.paid:
                return ClientTruth(state=state, payment=intent.get("id"))
            refunds = self._client.refunds.list({"payment_intent": intent["id"], "limit": PAGE_MAX}, own)
            disputes = self._client.disputes.list({"payment_intent": intent["id"], "limit": PAGE_MAX}, own)
            return ClientTruth(
                state=state,
                payment=intent["id"],
                refunds=tuple(_refund(one) for one in reversed(plain(refunds.data))),
                disputes=tuple(_dispute(one) for one in reversed(plain(disputes.data))),
            )

    def refund_client(self, stripe_account: str, payment: str, *, amount_minor: int | None, returns_fee: bool, key: str) -> None:
        """Refund the payment, and its fee in proportion."""
        params: Any = {"payment_intent": payment}  # Any: the SDK's own parameter type
        if amount_minor is not None:
            params["amount"] = amount_minor
        if returns_fee:
            params["refund_application_fee"] = True
        with asking():
            self._client.refunds.create(params, {"idempotency_key": key, "stripe_account": stripe_account})

    def sellers(self, *, after: str | None = None) -> SellerPage:
        """List the accounts."""
        params: Any = {"limit": PAGE_MAX} | ({"starting_after": after} if after else {})  # Any: the SDK's own parameter type
        with asking():
            page = self._client.accounts.list(params)
            found = plain(page.data)
            return SellerPage(sellers={one["id"]: _seller(one) for one in found}, last=found[-1]["id"] if page.has_more else None)

    def client_payments(self, stripe_account: str, *, after: str | None = None) -> PaymentPage:
        """List the sessions with their payments and charges."""
        params: Any = {"limit": PAGE_MAX, "expand": ["data.payment_intent.latest_charge"]}  # Any: as above
        params |= {"starting_after": after} if after else {}
        with asking():
            page = self._client.checkout.sessions.list(params, {"stripe_account": stripe_account})
            found = [one for one in plain(page.data) if one["mode"] == "payment"]
            last = page.data[-1].id if page.has_more else None
            return PaymentPage(payments={one["id"]: _listed(one) for one in found}, last=last)


def _listed(session: Mapping[str, Any]) -> ListedPayment:
    intent = session.get("payment_intent") or {}
    charge = intent.get("latest_charge") or {}
    return ListedPayment(
        state=_state(session, intent),
        payment=intent.get("id"),
        refunded_minor=charge.get("amount_refunded", 0),
        is_disputed=charge.get("disputed", False),
    )


def _seller(found: Mapping[str, Any]) -> Seller:
    if found.get("deleted"):
        return Seller(has_left=True)
    wanted = found.get("requirements") or {}
    deadline = wanted.get("current_deadline")
    return Seller(
        charges_enabled=found["charges_enabled"],
        payouts_enabled=found["payouts_enabled"],
        details_submitted=found["details_submitted"],
        due=tuple(wanted.get("currently_due") or ()),
        past_due=tuple(wanted.get("past_due") or ()),
        checking=tuple(wanted.get("pending_verification") or ()),
        disabled_reason=wanted.get("disabled_reason"),
        deadline=None if deadline is None else datetime.fromtimestamp(deadline, UTC),
    )


def _state(session: Mapping[str, Any], intent: Mapping[str, Any]) -> ClientPaymentState:
    # Of a bank debit the page is complete days before the money is there, or is not.
    match session["status"], session["payment_status"]:
        case _, "paid" | "no_payment_required":
            return ClientPaymentState.paid
        case "open", _:
            return ClientPaymentState.open
        case "expired", _:
            return ClientPaymentState.expired
        case "complete", _:
            is_over = intent.get("status") in {"requires_payment_method", "canceled"}
            return ClientPaymentState.failed if is_over else ClientPaymentState.processing
        case other:
            raise ValueError(f"a checkout session with {other}")


def _refund(thing: Mapping[str, Any]) -> Refund:
    return Refund(id=thing["id"], amount_minor=thing["amount"], is_done=thing["status"] == "succeeded")


def _dispute(thing: Mapping[str, Any]) -> Dispute:
    is_won = {"won": True, "warning_closed": True, "lost": False}.get(thing["status"])
    return Dispute(id=thing["id"], amount_minor=thing["amount"], reason=thing["reason"], is_won=is_won)
