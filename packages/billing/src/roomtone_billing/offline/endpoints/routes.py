"""Routes: which function answers which operation, and which of Stripe's parameters it honours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidRequest, NotSupported
from ..lists import page
from ..objects import Object
from ..world import World

LIST = "limit starting_after ending_before created expand"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request: its path, the ids in it, and its checked parameters."""

    path: str
    ids: tuple[str, ...]
    params: Object

    @property
    def id(self) -> str:
        """The first id of the path."""
        return self.ids[0]


def required(params: Object, name: str) -> Any:
    """Return a parameter that this account must give, though the document makes it optional; raises Stripe's `parameter_missing`."""
    if name not in params:
        raise InvalidRequest(f"Missing required param: {name}.", code="parameter_missing", param=name)
    return params[name]


Handler = Callable[[World, Call], Object]


def retrieving(kind: str) -> Handler:
    """Return the handler that answers the object of a kind which the path names first."""

    def retrieve(world: World, call: Call) -> Object:
        return world.store.get(kind, call.id)

    return retrieve


def listing(kind: str, *filters: str) -> Handler:
    """Return the handler that lists a kind, with the named parameters as exact filters."""

    def listed(world: World, call: Call) -> Object:
        exact = {name: call.params[name] for name in filters if name in call.params}
        return page((each for each in world.store.where(kind, **exact) if not each.get("deleted")), call.params, url=call.path)

    return listed


class Route:
    """An operation of Stripe's document and the function that answers it.

    Args:
        operation: `post /v1/customers/{customer}`, as in the document.
        takes: names of the honoured parameters; `a.b` honours b inside a, `a` all of it. What Stripe knows and this does not honour is 501.
    """

    def __init__(self, operation: str, handler: Handler, takes: str = "expand") -> None:
        self.operation = operation
        self.method, template = operation.split()
        self.pattern = re.compile(re.sub(r"\{[^}]+\}", "([^/]+)", template))
        self.weight = template.count("{")
        self.handler = handler
        self._takes = frozenset(takes.split())

    def refuse_ignored(self, params: Object) -> None:
        """Raise NotSupported for a parameter that would have no effect here."""
        for name in _leaves(params, ""):
            parts = name.split(".")
            if not any(".".join(parts[:size]) in self._takes for size in range(1, len(parts) + 1)):
                raise NotSupported(f"the parameter {name} of {self.operation}", param=name)


def _leaves(value: Any, name: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and value:
        for inner in value:
            yield from _leaves(inner, name)
    else:
        yield name
