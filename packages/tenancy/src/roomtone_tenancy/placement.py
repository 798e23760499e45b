"""Which server a new tenant goes to. Pure: it sees figures and says a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from .server import ServerState


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A server as it is now; `tenants` counts those that it has, also half-made ones."""

    name: str
    state: ServerState
    capacity: int
    regions: tuple[str, ...]
    tenants: int

    @property
    def free(self) -> int:
        """How many more it can take; less than 0 where it has more than it should."""
        return self.capacity - self.tenants

    @property
    def share(self) -> float:
        """How full it is, from 0 to 1."""
        return self.tenants / self.capacity if self.capacity else 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What is asked for: a place for the tenant of this key, in this region if one is named."""

    key: str
    region: str | None = None


class Placement(Protocol):
    """Chooses among servers that accept tenants, have room and are in the region asked for; there is at least one."""

    def __call__(self, candidates: Sequence[Candidate], wish: Wish) -> str | None:
        """The name of one of them, None to refuse them all. Called within the registration's transaction: ask nobody."""


def least_full(candidates: Sequence[Candidate], wish: Wish) -> str | None:  # noqa: ARG001 -- a Placement sees the wish
    """The one with the smallest share of its capacity taken; of equals the roomiest, then the first by name."""
    return min(candidates, key=lambda each: (each.share, -each.free, each.name)).name


def refusal(candidate: Candidate, wish: Wish) -> str | None:
    """Why it cannot take the tenant, in a word or two; None when it can."""
    if candidate.state is not ServerState.ACCEPTING:
        return str(candidate.state)
    if wish.region is not None and wish.region not in candidate.regions:
        return "in other regions"
    return "full" if candidate.free <= 0 else None


def choose(candidates: Sequence[Candidate], wish: Wish, placement: Placement) -> tuple[str | None, Mapping[str, int]]:
    """The server's name, or None and how many were refused for which reason.

    Raises:
        ValueError: the placement named a server that it was not given.
    """
    reasons = {each.name: refusal(each, wish) for each in candidates}
    able = [each for each in candidates if reasons[each.name] is None]
    name = placement(able, wish) if able else None
    if name is None:
        return None, Counter(reason or "not chosen by the placement" for reason in reasons.values())
    if reasons.get(name, "") is not None:
        raise ValueError(f"The placement chose {name!r}, which it was not given to choose: return the name of a candidate, or None.")
    return name, {}
