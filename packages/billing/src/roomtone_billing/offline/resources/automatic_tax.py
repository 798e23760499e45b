"""Automatic tax, simple on purpose: one standard rate by the country of the customer's address, on top of every amount.

It is not Stripe Tax: no registrations, no states, no product codes. What it does is all here:

- a customer without a country in the address cannot be taxed, and the request is refused;
- a country in `PERCENT` bears its standard rate, every other country none;
- a customer with `tax_exempt` of `exempt` or `reverse` bears none.
"""

from __future__ import annotations

from ..errors import InvalidRequest
from ..objects import Object
from ..world import World
from . import tax_rates

# Standard rates of value added tax in 2026, in percent.
PERCENT = {"AT": 20, "BE": 21, "DE": 19, "DK": 25, "ES": 21, "FI": 25.5, "FR": 20, "GB": 20, "IE": 23, "IT": 22, "LU": 17, "NL": 21}
PERCENT |= {"PL": 23, "PT": 23, "SE": 25}
PRIVATE = "automatic_tax_rate"


def shown(asked: Object) -> Object:
    """Return an invoice's `automatic_tax`."""
    enabled = bool(asked["enabled"])
    return {
        "disabled_reason": None,
        "enabled": enabled,
        "liability": {"type": "self"} if enabled else None,
        "provider": "stripe" if enabled else None,
        "status": "complete" if enabled else None,
    }


def refuse_unknown_place(customer: Object, asked: Object) -> None:
    """Raise what Stripe answers when tax is asked for and the customer's country is unknown."""
    if asked["enabled"] and not (customer["address"] or {}).get("country"):
        raise InvalidRequest(
            "The customer's location isn't recognized. Set a valid customer address in order to automatically calculate tax.",
            code="customer_tax_location_invalid",
            param="automatic_tax",
        )


def rates(world: World, customer: Object, asked: Object) -> list[Object]:
    """Return the tax rate that an invoice of this customer bears, in a list; empty where no tax is asked for or due."""
    if not asked["enabled"] or customer["tax_exempt"] != "none":
        return []
    refuse_unknown_place(customer, asked)
    country = customer["address"]["country"]
    if country not in PERCENT:
        return []
    known = world.store.find(PRIVATE, country)
    if known is None:
        rate = tax_rates.create(
            world, {"display_name": "VAT", "percentage": PERCENT[country], "inclusive": False, "country": country, "tax_type": "vat"}
        )
        known = world.store.add(PRIVATE, {"id": country, "rate": rate["id"]})
    return [world.store.get(tax_rates.KIND, known["rate"])]
