"""/v1/tax_rates."""

from __future__ import annotations

from ..objects import Object
from ..resources import tax_rates
from ..world import World
from .routes import LIST, Call, Route, listing, retrieving

FIELDS = "active country description display_name jurisdiction metadata state tax_type expand"


def _create(world: World, call: Call) -> Object:
    return tax_rates.create(world, call.params)


def _update(world: World, call: Call) -> Object:
    return tax_rates.update(world, call.id, call.params)


ROUTES = (
    Route("post /v1/tax_rates", _create, f"{FIELDS} inclusive percentage"),
    Route("get /v1/tax_rates", listing(tax_rates.KIND, "active", "inclusive"), f"{LIST} active inclusive"),
    Route("get /v1/tax_rates/{tax_rate}", retrieving(tax_rates.KIND)),
    Route("post /v1/tax_rates/{tax_rate}", _update, FIELDS),
)
