"""Changing who an account is on its invoices, and knowing where it is before taxes are worked out."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from . import details, lifecycle
from .desk import Desk
from .details import Address, TaxId
from .errors import GatewayRefused, InvalidDetails, TaxLocationUnknown, UnknownAccount
from .gateway import KnownTaxId
from .models import AccountRow
from .transactions import writing

_UNLOCATED = "customer_tax_location_invalid"


def update(
    desk: Desk, *, email: str | None, name: str | None, address: Address | None, tax_ids: Sequence[TaxId] | None, language: str | None
) -> None:
    """As `Account.update_details` says."""
    details.check(email=email, name=name, address=address, tax_ids=tax_ids or (), language=language)
    desk.refuse_closed()
    with writing(desk.engine) as session:
        row = session.get(AccountRow, desk.account, with_for_update=True)
        if row is None:
            raise UnknownAccount(desk.account)
        row.email, row.name = email or row.email, name or row.name
        customer = row.customer
    if customer is None and (address, tax_ids, language) == (None, None, None):
        return  # it is made with them
    customer = desk.customer()
    desk.gateway.update_customer(customer, email=email, name=name, address=address, language=language, key=f"details-{uuid.uuid4().hex}")
    if tax_ids is not None:
        _set_tax_ids(desk, customer, tax_ids)
    given = {"email": email, "name": name, "address": address, "tax_ids": tax_ids, "language": language}
    # Which, and not what: the history outlives the person.
    lifecycle.note(desk, "update_details", changed=[field for field, value in given.items() if value is not None])
    desk.sync()


def tax_ids_of(desk: Desk) -> list[KnownTaxId]:
    """As `Account.tax_ids` says."""
    customer = desk.row().customer
    return desk.gateway.tax_ids(customer) if customer else []


def refuse_unlocated(desk: Desk) -> None:
    """Raise `TaxLocationUnknown` where taxes are to be worked out and nobody knows for which country."""
    truth = desk.truth()
    if desk.rules.automatic_tax and (truth is None or truth.country is None):
        raise TaxLocationUnknown(desk.account)


@contextmanager
def located(desk: Desk) -> Iterator[None]:
    """Turn Stripe's refusal for want of a place into ours."""
    try:
        yield
    except GatewayRefused as error:
        if error.code != _UNLOCATED:
            raise
        raise TaxLocationUnknown(desk.account) from error


def _set_tax_ids(desk: Desk, customer: str, wanted: Sequence[TaxId]) -> None:
    """Those that are lacking first, so that there is none for no moment."""
    known, asked = desk.gateway.tax_ids(customer), {one.normal for one in wanted}
    for one in sorted(asked - {each.tax_id.normal for each in known}, key=lambda one: (one.kind, one.value)):
        try:
            desk.gateway.add_tax_id(customer, one, key=f"tax-id-{uuid.uuid4().hex}")
        except GatewayRefused as error:
            raise InvalidDetails("tax_ids", f"Stripe cannot read {one.value!r} as {one.kind} ({error.reason}); compare it") from error
    for each in known:
        if each.tax_id.normal not in asked:
            desk.gateway.remove_tax_id(customer, each.id)
