"""Decodes the bracketed form encoding of Stripe's API: `items[0][price]=p` means `{"items": [{"price": "p"}]}`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from .errors import InvalidRequest

DEPTH_MAX = 12
NAME = re.compile(r"\A([^\[\]]+)((?:\[[^\[\]]*\])*)\Z")


def decode(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return nested dicts and lists with strings at the ends.

    Raises:
        InvalidRequest: a name's brackets do not match, are deeper than 12 levels, or use a name both as a value and as a container.
    """
    tree: dict[str, Any] = {}
    for name, value in pairs:
        steps = _steps(name)
        node = tree
        for number, step in enumerate(steps[:-1]):
            node = node.setdefault(step or str(len(node)), {})
            if not isinstance(node, dict):
                raise InvalidRequest(f"Invalid parameter name: {name} ({'.'.join(steps[: number + 1])} has a value already)", param=name)
        last = steps[-1]
        node[last or str(len(node))] = value
    return {name: _with_lists(value) for name, value in tree.items()}


def _steps(name: str) -> list[str]:
    match = NAME.match(name)
    steps = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])] if match else []
    if not 0 < len(steps) <= DEPTH_MAX:
        raise InvalidRequest(f"Invalid parameter name: {name}", param=name)
    return steps


def _with_lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    values = {name: _with_lists(value) for name, value in node.items()}
    if values and all(name.isascii() and name.isdigit() for name in values):
        return [values[name] for name in sorted(values, key=int)]
    return values
