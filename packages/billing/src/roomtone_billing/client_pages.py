"""Pages on which a client pays: one open page per reference, however many ask for it at once, and none for what is paid.

The page to open is written down first, and whoever finds it unopened opens it as written, under a key of its number: so all who come at
once get the same page of Stripe, and a process that dies in between leaves the next one to finish.
"""

from __future__ import annotations

from contextlib import suppress

from pydantic import TypeAdapter
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from . import client_payments, connect_sync
from .client_payments import ClientPaymentState, ClientTruth, Sale
from .desk import Desk
from .errors import AlreadyPaid, GatewayRefused, GatewayUnavailable, UnknownClientPayment
from .gateway import ClientOffer
from .models import ClientPaymentRow, SellerRow
from .transactions import writing

# Two at once each draw a ticket; one of them has to draw again. A page may expire, or be replaced, while it is looked at.
_DRAWS_MAX = _TURNS_MAX = 4
_offer: TypeAdapter[ClientOffer] = TypeAdapter(ClientOffer)


def open_page(desk: Desk, wanted: Sale, offer: ClientOffer) -> str:
    """The address of the one page for the sale's reference.

    Raises:
        AlreadyPaid: it is paid, or on its way.
        GatewayError: Stripe could not be asked.
    """
    with suppress(UnknownClientPayment):
        sync(desk, wanted.reference)
    for _ in range(_TURNS_MAX):
        row = _opened(desk, _claim(desk, wanted, offer))
        if (row.amount_minor, row.currency, row.fee_minor) == (wanted.amount_minor, wanted.currency, wanted.fee_minor):
            return row.url
        with suppress(GatewayRefused):  # paid or expired a moment ago, as the fetch will tell
            desk.gateway.close_client_page(row.stripe_account, row.checkout)
        sync(desk, wanted.reference)
    raise GatewayUnavailable(f"{wanted.reference} was asked for with other amounts at the same time")


def sync(desk: Desk, reference: str | None) -> None:
    """Fetch the connected account, and the payment under the reference, through the fence.

    Raises:
        UnknownClientPayment: the account asked for nothing under that reference.
        GatewayError: Stripe could not be asked; the worker will.
    """
    checkouts = [] if reference is None else [row_of(desk, reference).checkout]
    connect_sync.mark(desk.engine, desk.account, checkouts=checkouts)
    for _ in range(_DRAWS_MAX):
        ticket = connect_sync.SELLERS.draw(desk.engine, desk.account, now=desk.clock())
        if ticket is None:
            return
        if connect_sync.fetch_and_write(desk.engine, desk.gateway, ticket, retry=desk.rules.retry, now=desk.clock()):
            return


def row_of(desk: Desk, reference: str) -> ClientPaymentRow:
    """The account's own payment under that reference, detached.

    Raises:
        UnknownClientPayment: this account asked for nothing under it, whatever another did.
    """
    mine = (ClientPaymentRow.account == desk.account) & (ClientPaymentRow.reference == reference)
    with Session(desk.engine, expire_on_commit=False) as session:
        # An account that left and came back has payments on both of its connected accounts; the last asked for is meant.
        row = session.scalar(select(ClientPaymentRow).where(mine).order_by(ClientPaymentRow.created_at.desc()).limit(1))
    if row is None:
        raise UnknownClientPayment(desk.account, reference)
    return row


def _claim(desk: Desk, wanted: Sale, offer: ClientOffer) -> ClientPaymentRow:
    """The page that is open or being opened, or the next one, written down to be opened."""
    with writing(desk.engine) as session:
        session.get_one(SellerRow, desk.account, with_for_update=True)
        row = session.get(ClientPaymentRow, (wanted.stripe_account, wanted.reference))
        if row is None:
            row = ClientPaymentRow(
                stripe_account=wanted.stripe_account, reference=wanted.reference, account=desk.account, pages=0, told={"keys": []}
            )
            session.add(row)
        else:
            state = client_payments.truth_from_json(row.truth).state
            if state in {ClientPaymentState.paid, ClientPaymentState.processing}:
                raise AlreadyPaid(desk.account, wanted.reference)
            if state is ClientPaymentState.open:
                return row
        row.pages += 1
        # Until Stripe has given its id; unique, as ids are.
        row.checkout, row.url = f"opening-{wanted.reference}-{row.pages}"[-255:], ""
        row.offer = _offer.dump_python(offer, mode="json")
        row.amount_minor, row.currency, row.fee_minor = wanted.amount_minor, wanted.currency, wanted.fee_minor
        row.truth = client_payments.truth_to_json(ClientTruth(state=ClientPaymentState.open))
        row.created_at, row.payment, row.check_at, row.is_dirty, row.mark = desk.clock(), None, None, False, 0
        return row


def _opened(desk: Desk, row: ClientPaymentRow) -> ClientPaymentRow:
    """The row with its page open; opened here as it was written down, unless it is."""
    if row.url:
        return row
    key = f"client-page-{row.stripe_account}-{row.reference}-{row.pages}"
    try:
        page = desk.gateway.open_client_page(connect_sync.sale_of(row), _offer.validate_python(row.offer), key=key)
    except GatewayRefused:
        # It will never open as it is written down; what is asked for next is another page.
        _note(desk, row, truth=client_payments.truth_to_json(ClientTruth(state=ClientPaymentState.expired)))
        raise
    _note(desk, row, checkout=page.id, url=page.url, check_at=desk.clock() + connect_sync.NEWS_DELAY)
    return row_of(desk, row.reference)


def _note(desk: Desk, row: ClientPaymentRow, **values: object) -> None:
    mine = (ClientPaymentRow.stripe_account == row.stripe_account) & (ClientPaymentRow.checkout == row.checkout)
    with writing(desk.engine) as session:
        session.execute(update(ClientPaymentRow).where(mine).values(values))
