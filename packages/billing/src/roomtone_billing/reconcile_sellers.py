"""Reconciliation of connected accounts: all accounts are listed, then each one's payments, a hundred a call; what differs is fetched.

As with customers (`reconcile`) a list only raises suspicion, and what differed is told of the stored truth and the one fetched behind
the fence, in the transaction that writes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from . import client_payments, connect_sync, cursors, drift
from .client_payments import ClientTruth, Seller
from .connect_state import ConnectState
from .errors import GatewayError, GatewayRefused
from .fence import Ticket
from .gateway import Gateway
from .gateway.connect import ListedPayment
from .models import ClientPaymentRow, DriftRow, SellerRow
from .pace import Pace
from .reconcile import Drift
from .transactions import RetryPolicy

CURSOR = "reconcile sellers"
# What a fetch of an account costs, and of each payment besides: page, refunds, disputes.
_CALLS_OF_A_SELLER, _CALLS_OF_A_PAYMENT = 1, 3


@dataclass(frozen=True, kw_only=True)
class SellerReconciliation:
    """What a run did: connected accounts and payments of ours that were compared, in `calls` calls to Stripe.

    `failed` accounts could not be fetched; the worker tries them again. `is_complete` is False when the run stopped at its bound; the
    next goes on from there.
    """

    sellers: int
    payments: int
    calls: int
    drifts: tuple[Drift, ...]
    failed: tuple[str, ...]
    is_complete: bool


def run(engine: Engine, gateway: Gateway, *, retry: RetryPolicy, now: datetime, pages_max: int, pace: Pace) -> SellerReconciliation:
    """Go on where the last run stopped, at most `pages_max` pages of a hundred; a host without connected accounts asks for none.

    Raises:
        GatewayError: a list could not be had; the next run goes on.
    """
    return _Run(engine, gateway, retry=retry, now=now, pace=pace).go(pages_max)


class _Run:
    """The accounts first, then the payments of each account of ours, in order of its name."""

    def __init__(self, engine: Engine, gateway: Gateway, *, retry: RetryPolicy, now: datetime, pace: Pace) -> None:
        self.engine, self.gateway, self.retry, self.now, self.pace = engine, gateway, retry, now, pace
        self.sellers = self.payments = 0
        self.drifts: list[Drift] = []
        self.failed: list[str] = []

    def go(self, pages_max: int) -> SellerReconciliation:
        place: dict[str, str] | None = cursors.find(self.engine, CURSOR)
        if not place and self._next_seller("") is None:
            place = None
        was_begun = place is not None
        while place is not None and pages_max:
            pages_max -= 1
            place = self._turn(place)
            if place is not None:
                cursors.move(self.engine, CURSOR, place, now=self.now)
        if place is None and was_begun:
            cursors.forget(self.engine, CURSOR)
        return SellerReconciliation(
            sellers=self.sellers,
            payments=self.payments,
            calls=self.pace.calls,
            drifts=tuple(self.drifts),
            failed=tuple(self.failed),
            is_complete=place is None,
        )

    def _turn(self, place: dict[str, str]) -> dict[str, str] | None:
        """Compare the page at that place; returns the next."""
        account, after = place.get("account"), place.get("after")
        try:
            last = self._compare_sellers(after) if account is None else self._compare_payments(account, after)
        except GatewayRefused as error:
            if error.code != "resource_missing" or after is None:
                raise
            last = None  # what we stood at is gone from its list; the next run compares the rest
        if last is None:
            return self._next_seller(account or "")
        return {"after": last} if account is None else {"account": account, "after": last}

    def _next_seller(self, account: str) -> dict[str, str] | None:
        living = (SellerRow.stripe_account.is_not(None), SellerRow.state != ConnectState.deauthorised, SellerRow.account > account)
        with Session(self.engine) as session:
            found = session.scalar(select(SellerRow.account).where(*living).order_by(SellerRow.account).limit(1))
        return None if found is None else {"account": found}

    def _compare_sellers(self, after: str | None) -> str | None:
        self.pace.wait()
        page = self.gateway.sellers(after=after)
        with Session(self.engine) as session:
            rows = session.scalars(select(SellerRow).where(SellerRow.stripe_account.in_(page.sellers))).all()
            stored = {row.account: (row.stripe_account or "", client_payments.seller_from_json(row.truth)) for row in rows}
        self.sellers += len(stored)
        for account, (stripe_account, seller) in sorted(stored.items()):
            if seller != page.sellers[stripe_account]:
                self._repair(account, [])
        return page.last

    def _compare_payments(self, account: str, after: str | None) -> str | None:
        with Session(self.engine) as session:
            stripe_account = session.scalar(select(SellerRow.stripe_account).where(SellerRow.account == account))
        if stripe_account is None:
            return None
        self.pace.wait()
        try:
            page = self.gateway.client_payments(stripe_account, after=after)
        except GatewayRefused:
            # It may have left, which a fetch tells.
            self._repair(account, [])
            return None
        mine = (ClientPaymentRow.stripe_account == stripe_account) & ClientPaymentRow.checkout.in_(page.payments)
        with Session(self.engine) as session:
            rows = session.scalars(select(ClientPaymentRow).where(mine)).all()
            stored = {row.checkout: client_payments.truth_from_json(row.truth) for row in rows}
        self.payments += len(stored)
        if suspects := [checkout for checkout, truth in stored.items() if not _agree(truth, page.payments[checkout])]:
            self._repair(account, suspects)
        return page.last

    def _repair(self, account: str, checkouts: Sequence[str]) -> None:
        connect_sync.mark(self.engine, account, checkouts=checkouts)
        # A fetch brings some; what this run has no time for is the worker's.
        for _ in range(1 + len(checkouts) // connect_sync.PAYMENTS_MAX):
            ticket = connect_sync.SELLERS.draw(self.engine, account, now=self.now)
            if ticket is None:
                return
            self.pace.wait(_CALLS_OF_A_SELLER + _CALLS_OF_A_PAYMENT * min(len(checkouts), connect_sync.PAYMENTS_MAX))
            found = _Found(ticket, now=self.now)
            try:
                is_written = connect_sync.fetch_and_write(
                    self.engine, self.gateway, ticket, retry=self.retry, now=self.now, witness=found.note
                )
            except GatewayError:
                self.failed.append(account)  # recorded with the account; the worker tries again
                return
            if is_written:
                self.drifts += found.drifts


class _Found:
    """What one fetch found to differ."""

    def __init__(self, ticket: Ticket, *, now: datetime) -> None:
        self.ticket, self.now = ticket, now
        self.drifts: list[Drift] = []

    def note(self, session: Session, row: SellerRow, seller: Seller, payments: Mapping[str, tuple[ClientPaymentRow, ClientTruth]]) -> None:
        """Write it down beside what repairs it."""
        ours = {"seller": row.truth or {}, "payments": {reference: payment.truth for reference, (payment, _) in payments.items()}}
        now_true = {reference: client_payments.truth_to_json(truth) for reference, (_, truth) in payments.items()}
        differences = drift.between(ours, {"seller": client_payments.seller_to_json(seller), "payments": now_true})
        if differences:
            noted = {"account": row.account, "customer": self.ticket.stripe_id, "found_at": self.now, "since": row.synced_at}
            session.add(DriftRow(**noted, ticket=self.ticket.number, differences={"fields": [asdict(one) for one in differences]}))
            self.drifts.append(Drift(**noted, ticket=self.ticket.number, differences=differences))  # type: ignore[arg-type]  # as above


def _agree(stored: ClientTruth, listed: ListedPayment) -> bool:
    """Whether the list gives no reason to ask; what a bank has still to decide is always one."""
    is_decided = all(one.is_done for one in stored.refunds) and all(one.is_won is not None for one in stored.disputes)
    known = (stored.state, stored.payment, stored.refunded_minor, bool(stored.disputes))
    return is_decided and known == (listed.state, listed.payment, listed.refunded_minor, listed.is_disputed)
