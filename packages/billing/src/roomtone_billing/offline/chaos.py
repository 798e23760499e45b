"""How unkind the network is to webhooks: everything that Stripe does not promise, by a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from .errors import OfflineOnly
from .objects import Object


@dataclass(frozen=True, kw_only=True)
class Chaos:
    """Decisions depend on the seed, the delivery (or request) and the attempt, so a run can be repeated.

    Attributes:
        reorder: shuffle what is due together.
        duplicate: share of deliveries that arrive twice, 0 to 1.
        drop: share of attempts that never arrive and come back on the retry schedule, 0 to 1.
        delay_s: every delivery waits between 0 and so many seconds of the virtual clock before its first attempt.
        batch_s: events happen together: all of each so many seconds wait for the end of that span, and carry its one `created` second.
        early: share of API requests whose webhooks arrive before the request's own answer, 0 to 1.
    """

    seed: int = 0
    reorder: bool = False
    duplicate: float = 0.0
    drop: float = 0.0
    delay_s: int = 0
    batch_s: int = 0
    early: float = 0.0

    def arranged(self, batch: Sequence[Object]) -> list[Object]:
        """Return the batch in the order of delivery."""
        return sorted(batch, key=lambda each: self._of_attempt("order", each)) if self.reorder else list(batch)

    def is_dropped(self, delivery: Object) -> bool:
        """Does this attempt never arrive?"""
        return self._of_attempt("drop", delivery) < self.drop

    def is_doubled(self, delivery: Object) -> bool:
        """Does this attempt arrive twice?"""
        return self._of_attempt("double", delivery) < self.duplicate

    def is_early(self, request_id: str) -> bool:
        """Do the webhooks of a request arrive before its answer?"""
        return self._chance(f"early/{request_id}") < self.early

    def second(self, now: int) -> int:
        """Return the second that an event of this moment carries (unix seconds)."""
        return now if self.batch_s < 1 else -(-now // self.batch_s) * self.batch_s

    def due_at(self, delivery_id: str, now: int) -> int:
        """Return when a new delivery is first attempted (unix seconds)."""
        return self.second(now) + int(self._chance(f"delay/{delivery_id}") * (self.delay_s + 1))

    def _of_attempt(self, question: str, delivery: Object) -> float:
        return self._chance(f"{question}/{delivery['id']}/{delivery['attempts']}")

    def _chance(self, question: str) -> float:
        return random.Random(f"{self.seed}/{question}").random()  # noqa: S311 - not a secret


def read_chaos(text: str) -> Chaos:
    """Return what a line such as `seed=3,reorder,duplicate=0.2,delay_s=30` asks for.

    Raises:
        OfflineOnly: an unknown name, or a value of the wrong kind.

    >>> read_chaos("reorder,drop=0.25").drop
    0.25
    """
    readers: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "bool": _switch}
    kinds = {each.name: readers[str(each.type)] for each in fields(Chaos)}
    found: dict[str, Any] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, _, value = part.partition("=")
        try:
            found[name] = kinds[name](value)
        except (KeyError, ValueError) as error:
            known = ", ".join(kinds)
            raise OfflineOnly(f"`{part}` is no chaos setting. Give {known} as name=value, separated by commas.", status=400) from error
    return Chaos(**found)


def _switch(value: str) -> bool:
    return {"": True, "yes": True, "true": True, "no": False, "false": False}[value.lower()]
