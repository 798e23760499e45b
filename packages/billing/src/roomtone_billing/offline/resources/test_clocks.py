"""Test clocks: a time of their own for some customers."""

from __future__ import annotations

from ..objects import Object
from ..shapes import blank
from ..world import World
from . import events

KIND = "test_helpers.test_clock"
KEPT_S = 30 * 86400


def create(world: World, *, frozen_time: int, name: str | None) -> Object:
    """Add a clock that stands still."""
    clock = world.store.add(
        KIND,
        {
            **blank(KIND),
            "id": world.new_id("clock"),
            "created": world.courier_now,
            "deletes_after": world.courier_now + KEPT_S,
            "frozen_time": frozen_time,
            "livemode": False,
            "name": name,
            "status": "ready",
            "status_details": {},
        },
    )
    events.emit(world, "test_helpers.test_clock.created", clock)
    return clock


def move(world: World, clock_id: str, frozen_time: int) -> None:
    """Put a clock's hands on, without a word."""
    world.store.change(KIND, clock_id, frozen_time=frozen_time)
