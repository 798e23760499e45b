"""Lines that wait for a subscription's next invoice: prorations that are not billed at once, and the use of items that went."""

from __future__ import annotations

from collections.abc import Sequence

from ..resources.invoice_lines import Line
from ..world import World

KIND = "pending_line"


def add(world: World, subscription_id: str, lines: Sequence[Line]) -> None:
    """Keep lines for the next invoice."""
    for line in lines:
        number = world.store.count(KIND)
        world.store.add(KIND, {"id": f"{number:08}", "subscription": subscription_id, "line": dict(vars(line))})


def lines_of(world: World, subscription_id: str) -> list[Line]:
    """Return what waits, first come first."""
    return [Line(**each["line"]) for each in world.store.where(KIND, subscription=subscription_id)]


def taken(world: World, subscription_id: str) -> list[Line]:
    """Return what waits, and let it wait no longer."""
    lines = lines_of(world, subscription_id)
    for each in list(world.store.where(KIND, subscription=subscription_id)):
        world.store.remove(KIND, each["id"])
    return lines
