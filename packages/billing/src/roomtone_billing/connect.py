"""Taking money from one's own clients: `billing.account("a").connect`."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from . import client_pages, client_payments
from .client_payments import ClientPaymentState, Dispute, Refund, Sale, Seller
from .connect_state import ConnectState
from .desk import Desk
from .errors import CannotTakePayments, NotPaid
from .gateway import ClientOffer
from .models import ClientPaymentRow, SellerRow
from .transactions import writing


@dataclass(frozen=True, kw_only=True)
class ConnectStatus:
    """How far an account is, and what Stripe lacks, under Stripe's names; `seller` is all that is known."""

    state: ConnectState
    seller: Seller
    synced_at: datetime | None = None

    @property
    def can_charge(self) -> bool:
        """Whether clients can pay now."""
        return self.state is ConnectState.ready


@dataclass(frozen=True, kw_only=True)
class ClientPayment:
    """One payment asked of a client. `url` is its page while it is open; `refunded_minor` of `amount_minor` went back."""

    reference: str
    description: str
    amount_minor: int
    currency: str
    fee_minor: int
    state: ClientPaymentState
    url: str | None
    refunded_minor: int
    refunds: tuple[Refund, ...]
    disputes: tuple[Dispute, ...]
    created_at: datetime


class Connect:
    """One account's taking of money; made by `Account.connect`, holds no state of its own. It sees its own payments and no other's.

    The money is the account's: a client pays the account's own Stripe account directly, and our fee is taken from it.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def status(self) -> ConnectStatus:
        """How far the account is, by the last fetch: one query, never a call to Stripe."""
        row = self._row()
        if row is None:
            return ConnectStatus(state=ConnectState.none, seller=Seller())
        return ConnectStatus(state=ConnectState(row.state), seller=client_payments.seller_from_json(row.truth), synced_at=row.synced_at)

    def onboard(self, *, return_url: str, refresh_url: str, country: str) -> str:
        """Begin, or go on: a page at Stripe that asks for all it lacks. Returns its address, good for minutes and once.

        Args:
            return_url: where the person comes back to, finished or not; call `sync` there.
            refresh_url: where the person comes when the page has expired; call `onboard` there and send them on.
            country: ISO 3166, two letters; where the account is at home, which cannot be changed later.
        Raises:
            UnknownAccount: billing has never heard of it.
            GatewayError: Stripe could not be asked.
        Effects:
            Makes the connected account, one per account however many begin at once. An account that had left begins anew.
        """
        stripe_account = self._seller(country)
        return self._desk.gateway.onboarding_page(stripe_account, return_url=return_url, refresh_url=refresh_url)

    def sync(self, reference: str | None = None) -> ConnectStatus:
        """Fetch the truth now, as after a redirect: the connected account, and the payment under the reference. Same fence as the worker.

        Raises:
            UnknownClientPayment: the account asked for nothing under that reference.
            GatewayError: Stripe could not be asked; the worker will.
        """
        client_pages.sync(self._desk, reference)
        return self.status()

    def checkout(self, reference: str, *, amount_minor: int, currency: str, fee_minor: int = 0, offer: ClientOffer) -> str:
        """Open a page on which a client pays; returns its address.

        Args:
            reference: what is paid, in the host's words (an invoice, a deposit), at most 200 characters; it is paid once.
            amount_minor: in the currency's smallest unit, > 0.
            currency: ISO 4217, upper case.
            fee_minor: what we keep of it, 0 to `amount_minor`.
        Raises:
            CannotTakePayments: the account is not ready; `status` says what is missing.
            AlreadyPaid: it is paid, or on its way: a second page could take the money twice.
            GatewayError: Stripe could not be asked.
        Effects:
            Of an open page for the same, gives that; one for another amount is closed first.
        """
        if not 0 <= fee_minor <= amount_minor or amount_minor <= 0:
            raise ValueError(f"a fee of {fee_minor} of an amount of {amount_minor}: the amount is above 0, the fee from 0 up to it")
        status = self.status()
        stripe_account = self._stripe_account()
        if stripe_account is None or not status.can_charge:
            raise CannotTakePayments(self._desk.account, status.state, status.seller.due)
        wanted = Sale(
            account=self._desk.account,
            stripe_account=stripe_account,
            reference=reference,
            checkout="",
            amount_minor=amount_minor,
            currency=currency.upper(),
            fee_minor=fee_minor,
        )
        return client_pages.open_page(self._desk, wanted, offer)

    def payment(self, reference: str) -> ClientPayment:
        """The payment under that reference, by the last fetch.

        Raises:
            UnknownClientPayment: this account asked for nothing under it.
        """
        return _view(client_pages.row_of(self._desk, reference))

    def payments(self, limit: int = 50) -> list[ClientPayment]:
        """The account's newest payments, newest first."""
        mine = select(ClientPaymentRow).where(ClientPaymentRow.account == self._desk.account)
        newest = mine.order_by(ClientPaymentRow.created_at.desc(), ClientPaymentRow.reference).limit(limit)
        with Session(self._desk.engine) as session:
            return [_view(row) for row in session.scalars(newest)]

    def refund(self, reference: str, amount_minor: int | None = None, *, key: str) -> ClientPayment:
        """Give money back to the client, and our fee's share of it to the account.

        Args:
            amount_minor: a part, or None for all that is left.
            key: which refund, in the host's words: the same key gives back once.
        Raises:
            UnknownClientPayment, NotPaid: there is nothing to give back.
            GatewayRefused: more than is left, or disputed.
        """
        row = client_pages.row_of(self._desk, reference)
        if row.payment is None:
            raise NotPaid(self._desk.account, reference)
        digest = hashlib.sha256(f"{row.stripe_account}\n{reference}\n{key}\n{amount_minor}".encode()).hexdigest()[:40]
        self._desk.gateway.refund_client(
            row.stripe_account, row.payment, amount_minor=amount_minor, returns_fee=row.fee_minor > 0, key=f"refund-{digest}"
        )
        self.sync(reference)
        return self.payment(reference)

    def _row(self) -> SellerRow | None:
        with Session(self._desk.engine, expire_on_commit=False) as session:
            return session.get(SellerRow, self._desk.account)

    def _stripe_account(self) -> str | None:
        row = self._row()
        return None if row is None else row.stripe_account

    def _seller(self, country: str) -> str:
        """The connected account, made if need be; of many who make it at once, Stripe makes one for the key and all write down the same."""
        desk = self._desk
        owner = desk.row()
        insert = postgresql.insert if desk.engine.dialect.name == "postgresql" else sqlite.insert
        empty = {"state": ConnectState.none, "changes": 0, "is_dirty": False, "mark": 0, "ticket": 0, "attempts": 0}
        with writing(desk.engine) as session:
            session.execute(insert(SellerRow).values(account=desk.account, token=uuid.uuid4().hex, **empty).on_conflict_do_nothing())
            row = session.get_one(SellerRow, desk.account, with_for_update=True)
            if ConnectState(row.state) is ConnectState.deauthorised:
                row.stripe_account, row.token, row.truth = None, uuid.uuid4().hex, None
            token, known = row.token, row.stripe_account
        if known is not None:
            return known
        digest = hashlib.sha256(f"{owner.email}\n{country}".encode()).hexdigest()[:16]
        made = desk.gateway.create_seller(
            account=desk.account, token=token, country=country, email=owner.email, key=f"seller-{token}-{digest}"
        )
        with writing(desk.engine) as session:
            mine = (SellerRow.account == desk.account) & (SellerRow.token == token) & SellerRow.stripe_account.is_(None)
            session.execute(update(SellerRow).where(mine).values(stripe_account=made))
        self.sync()
        return self._stripe_account() or made


def _view(row: ClientPaymentRow) -> ClientPayment:
    truth = client_payments.truth_from_json(row.truth)
    return ClientPayment(
        reference=row.reference,
        description=row.offer["description"],
        amount_minor=row.amount_minor,
        currency=row.currency,
        fee_minor=row.fee_minor,
        state=truth.state,
        url=row.url or None if truth.state is ClientPaymentState.open else None,
        refunded_minor=truth.refunded_minor,
        refunds=truth.refunds,
        disputes=truth.disputes,
        created_at=row.created_at,
    )
