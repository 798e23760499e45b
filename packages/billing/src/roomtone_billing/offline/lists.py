"""Pages of a list: newest first, with Stripe's cursors."""

from __future__ import annotations

from collections.abc import Iterable

from .errors import InvalidRequest
from .objects import Object, listing

LIMIT_DEFAULT = 10
LIMIT_MAX = 100


def page(objects: Iterable[Object], params: Object, *, url: str) -> Object:
    """Return the page that `limit`, `starting_after`, `ending_before` and `created` ask for.

    Args:
        objects: first added first.

    Raises:
        InvalidRequest: limit outside 1..100, both cursors at once, or a cursor that names no object of the list.
    """
    limit = params.get("limit", LIMIT_DEFAULT)
    if not 1 <= limit <= LIMIT_MAX:
        raise InvalidRequest(f"This value must be between 1 and {LIMIT_MAX}.", code="parameter_invalid_integer", param="limit")
    newest_first = [each for each in reversed(list(objects)) if is_created_in(each, params.get("created"))]
    after, before = params.get("starting_after"), params.get("ending_before")
    if after and before:
        raise InvalidRequest("You can only provide one of starting_after and ending_before.", param="ending_before")
    if before:
        earlier = newest_first[: _place(newest_first, before, "ending_before")]
        return listing(earlier[-limit:], url=url, has_more=len(earlier) > limit)
    rest = newest_first[_place(newest_first, after, "starting_after") + 1 :] if after else newest_first
    return listing(rest[:limit], url=url, has_more=len(rest) > limit)


def is_created_in(value: Object, window: object) -> bool:
    """Does the object's `created` lie in a window given as a moment or as `{gt, gte, lt, lte}`?"""
    created = value.get("created", 0)
    if window is None:
        return True
    if not isinstance(window, dict):
        return bool(created == window)
    return bool(
        created > window.get("gt", -1)
        and created >= window.get("gte", 0)
        and created < window.get("lt", created + 1)
        and created <= window.get("lte", created)
    )


def _place(objects: list[Object], cursor: str, param: str) -> int:
    for place, each in enumerate(objects):
        if each["id"] == cursor:
            return place
    raise InvalidRequest(f"No such object: '{cursor}'", code="resource_missing", param=param)
