"""/v1/credit_notes."""

from __future__ import annotations

from ..engine import crediting
from ..lists import page
from ..objects import Object
from ..resources import credit_notes
from ..world import World
from .routes import LIST, Call, Route, listing, retrieving

LINES = "amount description invoice_line_item quantity tax_rates type unit_amount"
FIELDS = "invoice amount credit_amount refund_amount out_of_band_amount memo metadata reason expand " + " ".join(
    f"lines.{name}" for name in LINES.split()
)


def _create(world: World, call: Call) -> Object:
    return crediting.issue(world, call.params)


def _preview(world: World, call: Call) -> Object:
    return crediting.preview(world, call.params)


def _update(world: World, call: Call) -> Object:
    return credit_notes.change_memo(world, call.id, call.params)


def _void(world: World, call: Call) -> Object:
    return crediting.void(world, call.id)


def _lines(world: World, call: Call) -> Object:
    return page(reversed(world.store.get(credit_notes.KIND, call.id)["lines"]["data"]), call.params, url=call.path)


ROUTES = (
    Route("post /v1/credit_notes", _create, FIELDS),
    Route("get /v1/credit_notes", listing(credit_notes.KIND, "customer", "invoice"), f"{LIST} customer invoice"),
    Route("get /v1/credit_notes/preview", _preview, FIELDS),
    Route("get /v1/credit_notes/{id}", retrieving(credit_notes.KIND)),
    Route("post /v1/credit_notes/{id}", _update, "memo metadata expand"),
    Route("post /v1/credit_notes/{id}/void", _void),
    Route("get /v1/credit_notes/{credit_note}/lines", _lines, LIST),
)
