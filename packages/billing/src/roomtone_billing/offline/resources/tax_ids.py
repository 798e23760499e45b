"""Customers' tax ids. Nothing is looked up: an id of the right form is verified, the documented test values say otherwise.

Source: https://docs.stripe.com/billing/customer/tax-ids
"""

from __future__ import annotations

import re

from ..errors import InvalidRequest, NotSupported
from ..objects import Object
from ..shapes import blank
from ..world import World
from . import events

KIND = "tax_id"
FORMS = {"eu_vat": r"[A-Z]{2}[0-9A-Z+*]{2,12}", "gb_vat": r"GB\d{9}(\d{3})?", "us_ein": r"\d{2}-?\d{7}", "ch_vat": r"CHE.*(MWST|TVA|IVA)"}
# Values that Stripe's sandboxes answer with another verification than verified.
STATUSES = {"111111111": "unverified", "222222222": "pending"}


def create(world: World, customer_id: str, params: Object) -> Object:
    """Add a tax id to a customer; raises InvalidRequest when its form is wrong and NotSupported for a type without a form here."""
    kind, value = params["type"], params["value"].replace(" ", "")
    if kind not in FORMS:
        raise NotSupported(f"tax ids of type {kind}", param="type")
    if not re.fullmatch(FORMS[kind], value) and value not in STATUSES and value[2:] not in STATUSES:
        raise InvalidRequest(f"Invalid value for {kind}.", code="tax_id_invalid", param="value")
    status = STATUSES.get(value[2:]) or STATUSES.get(value) or "verified"
    tax_id = world.store.add(
        KIND,
        {
            **blank(KIND),
            "id": world.new_id("txi"),
            "country": value[:2] if kind in ("eu_vat", "gb_vat") else None,
            "created": world.now,
            "customer": customer_id,
            "livemode": False,
            "owner": {"customer": customer_id, "type": "customer"},
            "type": kind,
            "value": value,
            "verification": {"status": status, "verified_address": None, "verified_name": None},
        },
    )
    events.emit(world, "customer.tax_id.created", tax_id)
    return tax_id


def delete(world: World, tax_id: str) -> Object:
    """Take a tax id away."""
    found = world.store.get(KIND, tax_id)
    world.store.remove(KIND, tax_id)
    events.emit(world, "customer.tax_id.deleted", found)
    return {"id": tax_id, "object": KIND, "deleted": True}
