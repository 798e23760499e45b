"""JSON objects as Stripe's API shows them, and the few shapes that many of them share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# A resource's fields are described by Stripe's OpenAPI document, which the tests hold every object against; Python's types cannot say more.
Object = dict[str, Any]

NO_ADDRESS: Mapping[str, None] = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))


def listing(data: Sequence[Object], *, url: str, has_more: bool = False) -> Object:
    """Wrap objects in Stripe's list object."""
    return {"object": "list", "data": list(data), "has_more": has_more, "url": url}


def merged_metadata(before: Mapping[str, str], change: object) -> dict[str, str]:
    """Return metadata after an update: given keys replace, an empty value removes its key, and an empty string removes all."""
    if change == "":
        return {}
    changes = change if isinstance(change, Mapping) else {}
    return {key: value for key, value in {**before, **changes}.items() if value != ""}


def emptied(value: Any) -> Any:
    """Stripe clears a field that is sent as an empty string; the object then shows null."""
    return None if value == "" else value
