"""One account's billing: what it may do, and the ways to Stripe's pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from . import checkout, packs
from .access import Access
from .decision import Decision
from .desk import Desk
from .entitlements import Entitlements
from .gateway import PackOffer
from .plans import Interval


@dataclass(frozen=True, kw_only=True)
class InvoiceView:
    """An invoice to show: `amount_minor` in the currency's smallest unit, `status` as Stripe says, pages at Stripe or None."""

    number: str | None
    amount_minor: int
    currency: str
    status: str
    created_at: datetime
    hosted_url: str | None
    pdf_url: str | None


class Account:
    """One account's billing; made by `Billing.account`, holds no state of its own."""

    def __init__(self, desk: Desk) -> None:
        self.account = desk.account
        self._desk = desk

    def access(self, session: Session | None = None) -> Access:
        """What the account may do now, from the last snapshot: one query, never a call to Stripe. Unknown accounts have phase none.

        Args:
            session: read through it, to see what it has not committed; default a connection of our own.
        """
        return self._desk.access(session)

    @property
    def entitlements(self) -> Entitlements:
        """What the account may use: decisions, counters, holds and exceptions."""
        return Entitlements(self._desk)

    def check(self, feature: str, amount: int = 1) -> Decision:
        """Whether `amount` more of the feature may be used now, and why; as `entitlements.check`.

        Raises:
            UnknownFeature: no plan of the catalogue names it.
            EntitlementsUnavailable: the database cannot be asked: treat it as a refusal.
        """
        return self.entitlements.check(feature, amount)

    def sync(self) -> Access:
        """Fetch the truth now, as after a redirect; same fence as the worker. Without a customer there is nothing to fetch.

        Raises:
            UnknownAccount: billing has never heard of it.
            GatewayError: Stripe could not be asked; the worker will.
        """
        return self._desk.sync()

    def checkout(self, *, plan: str, interval: Interval, success_url: str, cancel_url: str, locale: str | None = None) -> str:
        """Open a checkout page that sells the plan; returns its address.

        Raises:
            UnknownAccount, UnknownPlan, UnknownPrice: not ours to sell.
            NotPublished: the price is not at Stripe yet.
            AlreadySubscribed: it has a living subscription; use the portal.
            GatewayError: Stripe could not be asked.
        Effects:
            Creates the account's customer at Stripe, once; fetches its truth first; closes the page opened before, so that of two tabs
            only the later can pay.
        """
        return checkout.sell_plan(self._desk, plan=plan, interval=interval, success_url=success_url, cancel_url=cancel_url, locale=locale)

    def buy(
        self,
        pack: str,
        *,
        success_url: str,
        cancel_url: str,
        locale: str | None = None,
        allow_promotion_codes: bool = False,
        payment_methods: Sequence[str] | None = None,
    ) -> str:
        """Open a checkout page that sells one pack; returns its address. `PackBought` follows when it is paid, once.

        Args:
            payment_methods: kinds of Stripe's (`card`, `sepa_debit`); default what its dashboard allows.
        Raises:
            UnknownAccount, UnknownPack: not ours to sell.
            NotPublished: the price is not at Stripe yet.
            GatewayError: Stripe could not be asked.
        Effects:
            Creates the account's customer at Stripe, once. Pages opened before stay open: two pages paid are two packs.
        """
        offer = PackOffer(
            success_url=success_url,
            cancel_url=cancel_url,
            locale=locale,
            allow_promotion_codes=allow_promotion_codes,
            payment_methods=tuple(payment_methods) if payment_methods is not None else None,
        )
        return packs.buy(self._desk, pack, offer)

    def portal(self, *, return_url: str, locale: str | None = None) -> str:
        """Open the customer's portal at Stripe; returns its address.

        Raises:
            UnknownAccount: billing has never heard of it.
            NoCustomer: it has never been to the checkout.
            GatewayError: Stripe could not be asked.
        """
        return self._desk.gateway.create_portal(customer=self._desk.known_customer(), return_url=return_url, locale=locale)

    def invoices(self, limit: int = 12) -> list[InvoiceView]:
        """The newest invoices of the last snapshot that are not drafts, newest first; never a call to Stripe."""
        truth = self._desk.truth()
        found = truth.invoices if truth else ()
        newest = sorted((one for one in found if one.status != "draft"), key=lambda one: (one.created_at, one.id), reverse=True)
        return [
            InvoiceView(
                number=one.number,
                amount_minor=one.amount_minor,
                currency=one.currency,
                status=one.status,
                created_at=one.created_at,
                hosted_url=one.hosted_url,
                pdf_url=one.pdf_url,
            )
            for one in newest[:limit]
        ]
