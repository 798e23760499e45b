"""What every verb on one account starts from: its row, its customer, the truth about it, and the way to Stripe."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from . import snapshot, sync
from .access import Access, Phase
from .errors import AccountIsClosing, CurrencyPinned, NoCustomer, UnknownAccount
from .facts_cache import FactsCache
from .gateway import Gateway
from .models import AccountRow, ClosingRow
from .snapshot import Snapshot
from .sync import Rules
from .transactions import Clock, writing

# Two redirects at once each draw a ticket; one of them has to draw again.
_DRAWS_MAX = 3


@dataclass(frozen=True, kw_only=True)
class Desk:
    """One account and all that a verb on it needs; verbs live in a module per topic and take the desk first."""

    account: str
    engine: Engine
    gateway: Gateway
    rules: Rules
    clock: Clock
    facts: FactsCache

    def row(self) -> AccountRow:
        """The account's row, detached: good for reading.

        Raises:
            UnknownAccount: billing has never heard of it.
        """
        with Session(self.engine, expire_on_commit=False) as session:
            row = session.get(AccountRow, self.account)
            if row is None:
                raise UnknownAccount(self.account)
            session.expunge(row)
            return row

    def access(self, session: Session | None = None) -> Access:
        """What the account may do now, by the last snapshot; unknown accounts have phase none."""
        if session is None:
            with Session(self.engine) as own:
                return self.access(own)
        row = session.get(AccountRow, self.account)
        if row is None:
            return Access(account=self.account, phase=Phase.none)
        return sync.access_of(row, rules=self.rules, now=self.clock())

    def truth(self) -> Snapshot | None:
        """The last snapshot; None when there is none, or no account."""
        with Session(self.engine) as session:
            row = session.get(AccountRow, self.account)
            return snapshot.from_json(row.snapshot) if row is not None and row.snapshot else None

    def currency(self, wanted: str | None) -> str | None:
        """The currency to sell in, by the last snapshot: the one the account is billed in, else the wanted; None for the catalogue's first.

        Raises:
            CurrencyPinned: it is billed in another than the wanted.
        """
        truth = self.truth()
        pinned = truth.currency if truth else None
        if pinned is not None and wanted not in {None, pinned}:
            raise CurrencyPinned(self.account, pinned, wanted or "")
        return pinned or wanted

    def sync(self) -> Access:
        """Fetch the truth now, through the fence; without a customer there is nothing to fetch.

        Raises:
            UnknownAccount: billing has never heard of it.
            GatewayError: Stripe could not be asked; the worker will.
        """
        self.row()
        for _ in range(_DRAWS_MAX):
            ticket = sync.CUSTOMERS.draw(self.engine, self.account, now=self.clock())
            if ticket is None or sync.fetch_and_write(self.engine, self.gateway, ticket, rules=self.rules, now=self.clock()):
                break
        return self.access()

    def known_customer(self) -> str:
        """The account's customer at Stripe.

        Raises:
            UnknownAccount: billing has never heard of it.
            NoCustomer: it has never been to the checkout.
        """
        customer = self.row().customer
        if customer is None:
            raise NoCustomer(self.account)
        return customer

    def refuse_closed(self) -> None:
        """Raise `AccountIsClosing` when the host has closed the account."""
        with Session(self.engine) as session:
            if session.get(ClosingRow, self.account) is not None:
                raise AccountIsClosing(self.account)

    def customer(self) -> str:
        """The account's customer, made if need be; of many who make it at once, Stripe makes one and all write down the same."""
        row = self.row()
        self.refuse_closed()
        if row.customer is not None:
            return row.customer
        # A key may not be used again with other parameters, so it changes with them.
        digest = hashlib.sha256(f"{row.email}\n{row.name}".encode()).hexdigest()[:16]
        made = self.gateway.create_customer(
            account=row.account, token=row.token, email=row.email, name=row.name, key=f"customer-{row.token}-{digest}"
        )
        with writing(self.engine) as session:
            session.execute(
                update(AccountRow).where(AccountRow.account == self.account, AccountRow.customer.is_(None)).values(customer=made)
            )
            kept = session.scalar(select(AccountRow.customer).where(AccountRow.account == self.account))
        return kept or made
