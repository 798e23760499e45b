"""Credit notes at Stripe."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ..credit_note import CreditNote
from ..errors import GatewayRefused, MalformedTruth
from ..gateway.credit_notes import CreditTo, MadeCreditNote, WantedCredit
from .connection import PAGE_MAX, Connection, asking, plain

_KEY = "key"
_AMOUNTS = {CreditTo.card: "refund_amount", CreditTo.balance: "credit_amount", CreditTo.elsewhere: "out_of_band_amount"}


class StripeCreditNotes(Connection):
    """Credit notes, each marked with the key it was made under: Stripe itself remembers keys for a day or so."""

    def credit_notes(self, invoice: str) -> list[MadeCreditNote]:
        """The newest 100 of the invoice, without void ones."""
        with asking():
            found = plain(self._client.credit_notes.list({"invoice": invoice, "limit": PAGE_MAX}).data)
            return [_made(one) for one in found if one["status"] == "issued"]

    def create_credit_note(self, wanted: WantedCredit, *, key: str) -> MadeCreditNote:
        """Issue it: by lines where the invoice has taxes or discounts, so that their shares go back with it."""
        params: Any = {"invoice": wanted.invoice, "metadata": {_KEY: key}}  # Any: the SDK wants literals
        params |= {"memo": wanted.memo} if wanted.memo else {}
        params |= {"reason": wanted.reason.value} if wanted.reason else {}
        params |= {_AMOUNTS[wanted.to]: wanted.amount_minor} if wanted.to else {}
        digest = hashlib.sha256(f"{wanted}\n{key}".encode()).hexdigest()
        with asking():
            invoice = self._client.invoices.retrieve(wanted.invoice).to_dict()
        if not (invoice.get("total_taxes") or invoice.get("total_discount_amounts")):
            params["amount"] = wanted.amount_minor
        elif wanted.amount_minor != invoice["total"]:
            raise GatewayRefused("a part of an invoice with taxes or discounts is credited line by line, at the dashboard")
        else:
            params["lines"] = [_whole(one) for one in invoice["lines"]["data"] if one["amount"]]
        with asking():
            return _made(self._client.credit_notes.create(params, {"idempotency_key": f"credit-{digest}"}).to_dict())

    def _credit_notes_of(self, customer: str, invoices: Iterable[Mapping[str, Any]]) -> tuple[CreditNote, ...]:
        """The newest 100 of the customer that are not void, in one call; in none while no invoice knows of any."""
        if not any(one.get("pre_payment_credit_notes_amount") or one.get("post_payment_credit_notes_amount") for one in invoices):
            return ()
        found = plain(self._client.credit_notes.list({"customer": customer, "limit": PAGE_MAX}).data)
        return tuple(credit_note(one) for one in found if one["status"] == "issued")


def credit_note(thing: Mapping[str, Any]) -> CreditNote:
    """One credit note.

    Raises:
        MalformedTruth: a field it must have is absent.
    """
    try:
        invoice = thing["invoice"]
        return CreditNote(
            id=thing["id"],
            invoice=invoice["id"] if isinstance(invoice, Mapping) else invoice,
            number=thing["number"],
            amount_minor=thing["amount"],
            currency=thing["currency"].upper(),
            is_after_payment=thing["type"] != "pre_payment",
            refunded_minor=sum(one["amount_refunded"] for one in thing.get("refunds") or ()),
            created_at=datetime.fromtimestamp(thing["created"], UTC),
            pdf_url=thing.get("pdf"),
            memo=thing.get("memo"),
        )
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise MalformedTruth(f"credit note {thing.get('id')}", f"{type(error).__name__} {error}") from error


def _made(thing: Mapping[str, Any]) -> MadeCreditNote:
    return MadeCreditNote(
        id=thing["id"],
        number=thing["number"],
        amount_minor=thing["amount"],
        currency=thing["currency"].upper(),
        pdf_url=thing.get("pdf"),
        key=(thing.get("metadata") or {}).get(_KEY),
    )


def _whole(line: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "invoice_line_item", "invoice_line_item": line["id"], "amount": line["amount"]}
