"""Completed checkouts and charges, as plain dictionaries, into purchases and payments."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ..errors import MalformedTruth
from ..snapshot import Payment, Purchase

Object = Mapping[str, Any]  # Any: JSON from outside, read field by field below


def purchases(checkouts: Iterable[Object]) -> tuple[Purchase, ...]:
    """The packs among the checkouts; one that does not say what it sells in our words is not ours.

    Whom it belongs to is its customer alone: a `client_reference_id` can be typed into a link by anybody.

    Raises:
        MalformedTruth: a field it must have is absent.
    """
    return tuple(found for one in checkouts if (found := _purchase(one)) is not None)


def payments(charges: Iterable[Object]) -> tuple[Payment, ...]:
    """The money taken, newest first.

    Raises:
        MalformedTruth: a field it must have is absent.
    """
    try:
        return tuple(
            Payment(
                id=_id(one["payment_intent"]) or one["id"],
                amount_minor=one["amount_captured"],
                currency=one["currency"].upper(),
                refunded_minor=min(one["amount_refunded"], one["amount_captured"]),
                created_at=datetime.fromtimestamp(one["created"], UTC),
                charge=one["id"],
                is_disputed=bool(one.get("disputed")),
            )
            for one in charges
            if one["status"] == "succeeded" and one["captured"]
        )
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise MalformedTruth("a charge", f"{type(error).__name__} {error}") from error


def _purchase(thing: Object) -> Purchase | None:
    try:
        metadata = thing.get("metadata") or {}
        grants = _grants(metadata.get("grants"))
        if thing["mode"] != "payment" or thing["status"] != "complete" or not metadata.get("pack") or grants is None:
            return None
        return Purchase(
            id=thing["id"],
            pack=metadata["pack"],
            grants=grants,
            amount_minor=thing["amount_total"],
            currency=thing["currency"].upper(),
            is_paid=thing["payment_status"] in {"paid", "no_payment_required"},
            created_at=datetime.fromtimestamp(thing["created"], UTC),
            payment=_id(thing.get("payment_intent")),
        )
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise MalformedTruth(f"checkout session {thing.get('id')}", f"{type(error).__name__} {error}") from error


def _grants(text: object) -> dict[str, int] | None:
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    if not isinstance(found, dict) or not all(type(value) is int and value > 0 for value in found.values()):
        return None
    return found


def _id(value: object) -> str | None:
    found = value.get("id") if isinstance(value, Mapping) else value
    return found if isinstance(found, str) else None
