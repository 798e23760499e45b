"""One account's billing: what it may do, and the ways to Stripe's pages."""

from __future__ import annotations

import hashlib
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from . import snapshot, sync
from .access import Access, Phase
from .errors import AlreadySubscribed, GatewayRefused, NoCustomer, NotPublished, UnknownAccount
from .gateway import Gateway
from .models import AccountRow
from .plans import Interval
from .sync import Rules
from .transactions import Clock, writing

# Two redirects at once each draw a ticket; one of them has to draw again.
_DRAWS_MAX = 3


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

    def __init__(self, account: str, *, engine: Engine, gateway: Gateway, rules: Rules, clock: Clock) -> None:
        self.account = account
        self._engine, self._gateway, self._rules, self._clock = engine, gateway, rules, clock

    def access(self, session: Session | None = None) -> Access:
        """What the account may do now, from the last snapshot: one query, never a call to Stripe. Unknown accounts have phase none.

        Args:
            session: read through it, to see what it has not committed; default a connection of our own.
        """
        if session is None:
            with Session(self._engine) as own:
                return self.access(own)
        row = session.get(AccountRow, self.account)
        if row is None:
            return Access(account=self.account, phase=Phase.none)
        return sync.access_of(row, rules=self._rules, now=self._clock())

    def sync(self) -> Access:
        """Fetch the truth now, as after a redirect; same fence as the worker. Without a customer there is nothing to fetch.

        Raises:
            UnknownAccount: billing has never heard of it.
            GatewayError: Stripe could not be asked; the worker will.
        """
        self._row()
        for _ in range(_DRAWS_MAX):
            ticket = sync.draw(self._engine, self.account, now=self._clock())
            if ticket is None or sync.fetch_and_write(self._engine, self._gateway, ticket, rules=self._rules, now=self._clock()):
                break
        return self.access()

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
        lookup_key = self._rules.catalogue.plan(plan).lookup_key(interval)
        customer = self._customer()
        current = self.sync()
        if current.is_subscribed:
            raise AlreadySubscribed(self.account, current.plan_key)
        prices = self._gateway.prices([lookup_key])
        if not prices:
            raise NotPublished(lookup_key)
        page = self._gateway.create_checkout(
            customer=customer,
            account=self.account,
            price=prices[0].id,
            success_url=success_url,
            cancel_url=cancel_url,
            locale=locale,
            key=f"checkout-{uuid.uuid4().hex}",
        )
        self._replace_checkout(page.id)
        return page.url

    def portal(self, *, return_url: str, locale: str | None = None) -> str:
        """Open the customer's portal at Stripe; returns its address.

        Raises:
            UnknownAccount: billing has never heard of it.
            NoCustomer: it has never been to the checkout.
            GatewayError: Stripe could not be asked.
        """
        customer = self._row().customer
        if customer is None:
            raise NoCustomer(self.account)
        return self._gateway.create_portal(customer=customer, return_url=return_url, locale=locale)

    def invoices(self, limit: int = 12) -> list[InvoiceView]:
        """The newest invoices of the last snapshot that are not drafts, newest first; never a call to Stripe."""
        with Session(self._engine) as session:
            stored = session.scalar(select(AccountRow.snapshot).where(AccountRow.account == self.account))
        found = snapshot.from_json(stored).invoices if stored else ()
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

    def _replace_checkout(self, checkout: str) -> None:
        """Close the page opened before; if it was paid a moment ago, close the new one and refuse."""
        with writing(self._engine) as session:
            row = session.get_one(AccountRow, self.account, with_for_update=True)
            before, row.checkout = row.checkout, checkout
        if before is None:
            return
        try:
            self._gateway.expire_checkout(before)
        except GatewayRefused:
            current = self.sync()
            if current.is_subscribed:
                with suppress(GatewayRefused):
                    self._gateway.expire_checkout(checkout)
                raise AlreadySubscribed(self.account, current.plan_key) from None

    def _row(self) -> AccountRow:
        with Session(self._engine, expire_on_commit=False) as session:
            row = session.get(AccountRow, self.account)
            if row is None:
                raise UnknownAccount(self.account)
            session.expunge(row)
            return row

    def _customer(self) -> str:
        """The account's customer; of many who make it at once, Stripe makes one for the key and all write down the same."""
        row = self._row()
        if row.customer is not None:
            return row.customer
        # A key may not be used again with other parameters, so it changes with them.
        digest = hashlib.sha256(f"{row.email}\n{row.name}".encode()).hexdigest()[:16]
        made = self._gateway.create_customer(
            account=row.account, token=row.token, email=row.email, name=row.name, key=f"customer-{row.token}-{digest}"
        )
        with writing(self._engine) as session:
            session.execute(
                update(AccountRow).where(AccountRow.account == self.account, AccountRow.customer.is_(None)).values(customer=made)
            )
            kept = session.scalar(select(AccountRow.customer).where(AccountRow.account == self.account))
        return kept or made
