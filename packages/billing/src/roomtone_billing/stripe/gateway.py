"""The gateway that asks Stripe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import stripe

from ..errors import GatewayRefused, GatewayUnavailable, MalformedTruth
from ..gateway import CheckoutPage, CustomerOwner, PublishedPrice
from ..plans import Interval
from ..snapshot import Snapshot
from . import translation

# Limits of the API: https://docs.stripe.com/api/prices/list and https://docs.stripe.com/api/pagination
_LOOKUP_KEYS_MAX = 10
_PAGE_MAX = 100


class StripeGateway:
    """Speaks to Stripe with one secret key. Safe to share between threads.

    Args:
        api_key: a secret or restricted key; `sk_live_` and `rk_live_` keys mean live mode.
        webhook_secrets: the endpoint's signing secrets, more than one while rotating; with none every webhook is refused.
        base_url: where the API is, without a final slash; default Stripe's.
        http_client: one of the SDK's clients; default `requests` with `timeout_s`.
        timeout_s: seconds to wait for an answer, of the default client only.
        retries_max: how often the SDK repeats a call that failed in passing; it sends the same idempotency key.
    """

    def __init__(
        self,
        api_key: str,
        *,
        webhook_secrets: Sequence[str],
        base_url: str | None = None,
        http_client: stripe.HTTPClient | None = None,
        timeout_s: float = 20,
        retries_max: int = 2,
    ) -> None:
        self.webhook_secrets = tuple(webhook_secrets)
        self.livemode = api_key.startswith(("sk_live_", "rk_live_"))
        self._client = stripe.StripeClient(
            api_key,
            base_addresses={"api": base_url} if base_url else None,
            http_client=http_client or stripe.RequestsClient(timeout=timeout_s),
            max_network_retries=retries_max,
        ).v1

    def fetch(self, customer: str) -> Snapshot:
        """The customer's truth in three calls: itself, its newest 100 subscriptions, its newest 100 invoices."""
        try:
            with _asking():
                found = self._client.customers.retrieve(customer, {"expand": ["invoice_settings.default_payment_method"]}).to_dict()
                if found.get("deleted"):
                    return Snapshot(customer=customer, is_deleted=True)
                subscriptions = self._client.subscriptions.list(
                    {"customer": customer, "status": "all", "limit": _PAGE_MAX, "expand": ["data.default_payment_method"]}
                )
                # After the subscriptions: a period must never be seen without the invoice that is to pay for it.
                invoices = self._client.invoices.list({"customer": customer, "limit": _PAGE_MAX})
                return translation.snapshot(found, _plain(subscriptions.data), _plain(invoices.data))
        except GatewayRefused as error:
            if error.code == "resource_missing":
                return Snapshot(customer=customer, is_deleted=True)
            raise

    def owner(self, customer: str) -> CustomerOwner:
        """Whose customer it is, by its metadata; nobody's when it is gone."""
        try:
            with _asking():
                found = self._client.customers.retrieve(customer).to_dict()
        except GatewayRefused as error:
            if error.code != "resource_missing":
                raise
            found = {}
        metadata = found.get("metadata") or {}
        return CustomerOwner(account=metadata.get("account"), token=metadata.get("token"))

    def create_customer(self, *, account: str, token: str, email: str, name: str, key: str) -> str:
        """Make the account's customer, marked with whose it is; returns its id."""
        with _asking():
            made = self._client.customers.create(
                {"email": email, "name": name, "metadata": {"account": account, "token": token}}, {"idempotency_key": key}
            )
            return made.id

    def create_checkout(
        self, *, customer: str, account: str, price: str, success_url: str, cancel_url: str, locale: str | None, key: str
    ) -> CheckoutPage:
        """Open a Checkout session that sells one subscription."""
        params: Any = {  # Any: the SDK wants the locale as one of its literals; Stripe checks it
            "mode": "subscription",
            "customer": customer,
            "client_reference_id": account,
            "line_items": [{"price": price, "quantity": 1}],
            "success_url": success_url,
            "cancel_url": cancel_url,
            "metadata": {"account": account},
            "subscription_data": {"metadata": {"account": account}},
        }
        if locale is not None:
            params["locale"] = locale
        with _asking():
            made = self._client.checkout.sessions.create(params, {"idempotency_key": key})
        if made.url is None:
            raise MalformedTruth(f"checkout session {made.id}", "it has no url")
        return CheckoutPage(id=made.id, url=made.url)

    def expire_checkout(self, checkout: str) -> None:
        """Expire a Checkout session; refused when it is complete or expired."""
        with _asking():
            self._client.checkout.sessions.expire(checkout)

    def create_portal(self, *, customer: str, return_url: str, locale: str | None) -> str:
        """Open a portal session in the account's default configuration; returns its address."""
        params: Any = {"customer": customer, "return_url": return_url}  # Any: as for the checkout's locale
        if locale is not None:
            params["locale"] = locale
        with _asking():
            return self._client.billing_portal.sessions.create(params).url

    def prices(self, lookup_keys: Sequence[str]) -> list[PublishedPrice]:
        """The active prices with these lookup keys, ten a call."""
        found: list[PublishedPrice] = []
        for start in range(0, len(lookup_keys), _LOOKUP_KEYS_MAX):
            with _asking():
                page = self._client.prices.list(
                    {"lookup_keys": list(lookup_keys[start : start + _LOOKUP_KEYS_MAX]), "active": True, "limit": _PAGE_MAX}
                )
                found += [translation.published(one) for one in _plain(page.data)]
        return found

    def products(self, ids: Sequence[str]) -> dict[str, str]:
        """The names of the products that exist, a hundred a call."""
        found: dict[str, str] = {}
        for start in range(0, len(ids), _PAGE_MAX):
            with _asking():
                page = self._client.products.list({"ids": list(ids[start : start + _PAGE_MAX]), "limit": _PAGE_MAX})
                found |= {one.id: one.name for one in page.data}
        return found

    def put_product(self, *, id: str, name: str, is_new: bool) -> None:  # noqa: A002 the word of the API
        """Make or rename a product; one that another process made a moment ago is as good."""
        try:
            with _asking():
                if is_new:
                    self._client.products.create({"id": id, "name": name})
                else:
                    self._client.products.update(id, {"name": name})
        except GatewayRefused as error:
            if error.code != "resource_already_exists":
                raise

    def create_price(
        self, *, product: str, plan: str, lookup_key: str, interval: Interval, amount_minor: int, currency: str, key: str
    ) -> str:
        """Make a price and move the lookup key to it; the plan is in its metadata, which stays when the key moves on."""
        with _asking():
            made = self._client.prices.create(
                {
                    "product": product,
                    "currency": currency.lower(),
                    "unit_amount": amount_minor,
                    "recurring": {"interval": interval.value},
                    "lookup_key": lookup_key,
                    "transfer_lookup_key": True,
                    "metadata": {"plan": plan},
                },
                {"idempotency_key": key},
            )
            return made.id


@contextmanager
def _asking() -> Iterator[None]:
    """Turn the SDK's errors into ours: worth another try, or not."""
    try:
        yield
    except (stripe.APIConnectionError, stripe.RateLimitError) as error:
        raise GatewayUnavailable(str(error)) from error
    except stripe.StripeError as error:
        status = error.http_status or 500
        # 409 and 429 pass; so does an answer that is no JSON, which comes from something between Stripe and us.
        if 400 <= status < 500 and status not in {409, 429}:
            raise GatewayRefused(str(error), error.code) from error
        raise GatewayUnavailable(f"HTTP {status}: {error}") from error
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise MalformedTruth("an answer of Stripe", f"{type(error).__name__} {error}") from error


def _plain(things: Sequence[stripe.StripeObject]) -> list[dict[str, Any]]:
    return [thing.to_dict() for thing in things]
