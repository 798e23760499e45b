"""What separates two truths, field by field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import snapshot
from .snapshot import Snapshot

# Stripe gives pages other addresses from time to time; nothing depends on them.
UNIMPORTANT = frozenset({"hosted_url", "pdf_url"})
Plain = str | int | float | bool | None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One field that is not the same: `path` reads `subscriptions.sub_1.status`; what is absent is None."""

    path: str
    ours: Plain
    theirs: Plain

    def __str__(self) -> str:
        return f"{self.path}: {self.ours} here, {self.theirs} at Stripe"


def differences(ours: Snapshot | None, theirs: Snapshot) -> tuple[Difference, ...]:
    """Every field that differs, in the order of its path."""
    return between(snapshot.to_json(ours) if ours else {}, snapshot.to_json(theirs))


def between(ours: object, theirs: object) -> tuple[Difference, ...]:
    """The same of JSON values."""
    here, there = dict(_fields(ours, "")), dict(_fields(theirs, ""))
    return tuple(
        Difference(path=path, ours=here.get(path), theirs=there.get(path))
        for path in sorted(here.keys() | there.keys())
        if here.get(path) != there.get(path)
    )


def _fields(value: object, path: str) -> Iterator[tuple[str, Plain]]:
    """The leaves of a JSON value; things in a list go by their id, so that their order does not matter."""
    if isinstance(value, dict):
        for name, each in value.items():
            if name not in UNIMPORTANT:
                yield from _fields(each, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            name = each["id"] if isinstance(each, dict) and "id" in each else place
            yield from _fields(each, f"{path}.{name}")
    elif isinstance(value, str | int | float | bool) or value is None:
        yield path, value
    else:
        raise AssertionError(f"{path} is no JSON value")
