"""/v1/test_helpers/test_clocks."""

from __future__ import annotations

from ..engine import clockwork, timeline
from ..objects import Object
from ..resources import test_clocks
from ..world import World
from .routes import LIST, Call, Route, listing, retrieving


def _create(world: World, call: Call) -> Object:
    return test_clocks.create(world, frozen_time=call.params["frozen_time"], name=call.params.get("name"))


def _advance(world: World, call: Call) -> Object:
    return clockwork.advance(world, call.id, call.params["frozen_time"], timeline.ACTIONS)


def _delete(world: World, call: Call) -> Object:
    return clockwork.delete(world, call.id)


ROUTES = (
    Route("post /v1/test_helpers/test_clocks", _create, "frozen_time name expand"),
    Route("get /v1/test_helpers/test_clocks", listing(test_clocks.KIND), LIST),
    Route("get /v1/test_helpers/test_clocks/{test_clock}", retrieving(test_clocks.KIND)),
    Route("delete /v1/test_helpers/test_clocks/{test_clock}", _delete),
    Route("post /v1/test_helpers/test_clocks/{test_clock}/advance", _advance, "frozen_time expand"),
)
