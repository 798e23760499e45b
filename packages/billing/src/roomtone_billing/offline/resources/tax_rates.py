"""Tax rates: a percentage on top of a line's amount, or inside it. The percentage never changes."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ..errors import InvalidRequest
from ..objects import Object, emptied, merged_metadata
from ..shapes import blank
from ..totals import Rate
from ..world import World
from . import events

KIND = "tax_rate"
PLAIN = ("active", "country", "description", "display_name", "jurisdiction", "state", "tax_type")


def create(world: World, params: Object) -> Object:
    """Add a rate; raises InvalidRequest outside 0 to 100 percent."""
    if not 0 <= params["percentage"] <= 100:
        raise InvalidRequest("Invalid percentage: it must be between 0 and 100.", param="percentage")
    rate = world.store.add(
        KIND,
        {
            **blank(KIND),
            "id": world.new_id("txr"),
            "active": True,
            "created": world.now,
            "effective_percentage": params["percentage"],
            "inclusive": params["inclusive"],
            "livemode": False,
            "metadata": merged_metadata({}, params.get("metadata")),
            "percentage": params["percentage"],
            "rate_type": "percentage",
            **{name: emptied(params[name]) for name in PLAIN if name in params},
        },
    )
    events.emit(world, "tax_rate.created", rate)
    return rate


def update(world: World, rate_id: str, params: Object) -> Object:
    """Change what the parameters name."""
    before = world.store.get(KIND, rate_id)
    changes: Object = {name: emptied(params[name]) for name in PLAIN if name in params}
    after = world.store.change(KIND, rate_id, **changes, metadata=merged_metadata(before["metadata"], params.get("metadata")))
    events.emit(world, "tax_rate.updated", after, before=before)
    return after


def named(world: World, ids: Sequence[str] | str, *, param: str) -> list[Object]:
    """Return active rates by id; an empty string is none. Raises InvalidRequest naming `param`."""
    rates = [world.store.get(KIND, each, param=param) for each in ids] if ids else []
    for rate in rates:
        if not rate["active"]:
            raise InvalidRequest(f"The tax rate {rate['id']} is inactive.", param=param)
    return rates


def to_rate(rate: Object) -> Rate:
    """Return a rate as the arithmetic wants it."""
    return Rate(tax_rate=rate["id"], percent=Decimal(str(rate["percentage"])), is_inclusive=rate["inclusive"])


def shown(rate: Object, amount: int, taxable: int) -> Object:
    """Return what a rate comes to, as an invoice's or credit note's line shows it."""
    return {
        "amount": amount,
        "tax_behavior": "inclusive" if rate["inclusive"] else "exclusive",
        "tax_rate_details": {"tax_rate": rate["id"]},
        "taxability_reason": "not_available",
        "taxable_amount": taxable,
        "type": "tax_rate_details",
    }
