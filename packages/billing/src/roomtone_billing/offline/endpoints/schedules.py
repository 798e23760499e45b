"""/v1/subscription_schedules."""

from __future__ import annotations

from ..engine import scheduling
from ..objects import Object
from ..resources import schedules
from ..world import World
from .routes import LIST, Call, Route, listing, retrieving

PHASES = " ".join(
    f"phases.{name}"
    for name in ("items.price", "items.quantity", "duration", "end_date", "start_date", "proration_behavior", "discounts.discount")
)


def _create(world: World, call: Call) -> Object:
    return scheduling.create(world, call.params)


def _update(world: World, call: Call) -> Object:
    return scheduling.update(world, call.id, call.params)


def _cancel(world: World, call: Call) -> Object:
    return scheduling.cancel(world, call.id)


def _release(world: World, call: Call) -> Object:
    return scheduling.release(world, call.id)


ROUTES = (
    Route("post /v1/subscription_schedules", _create, f"customer from_subscription start_date end_behavior metadata {PHASES} expand"),
    Route("get /v1/subscription_schedules", listing(schedules.KIND, "customer"), f"{LIST} customer"),
    Route("get /v1/subscription_schedules/{schedule}", retrieving(schedules.KIND)),
    Route("post /v1/subscription_schedules/{schedule}", _update, f"end_behavior metadata {PHASES} expand"),
    Route("post /v1/subscription_schedules/{schedule}/cancel", _cancel),
    Route("post /v1/subscription_schedules/{schedule}/release", _release),
)
