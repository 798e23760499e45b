"""What stands in the way of a smaller plan."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """What an account uses more of than the plan it wants allows. `limit` is the name of a limit in the catalogue, or `seats`."""

    limit: str
    used: int
    allowed: int
