"""/v1/…/search, which sees an object some time after it was made, as Stripe's does."""

from __future__ import annotations

from ..errors import InvalidRequest
from ..objects import Object
from ..query import compile_query
from ..world import World
from .routes import Call, Handler, Route

LIMIT_DEFAULT, LIMIT_MAX = 10, 100
FIELDS = {
    "customer": "created email metadata name phone",
    "charge": "amount created currency customer disputed metadata refunded status",
    "invoice": "created currency customer metadata number receipt_number status subscription total",
    "payment_intent": "amount created currency customer metadata status",
    "price": "active currency lookup_key metadata product type",
    "product": "active description metadata name shippable url",
    "subscription": "canceled_at created metadata status",
}


def _search(kind: str) -> Handler:
    fields = frozenset(FIELDS[kind].split())

    def search(world: World, call: Call) -> Object:
        test = compile_query(call.params["query"], fields=fields)
        limit = call.params.get("limit", LIMIT_DEFAULT)
        if not 1 <= limit <= LIMIT_MAX:
            raise InvalidRequest(f"This value must be between 1 and {LIMIT_MAX}.", code="parameter_invalid_integer", param="limit")
        seen_until = world.now - world.settings.search_delay_s
        found = [
            each
            for each in reversed(world.store.all(kind))
            if not each.get("deleted") and each["created"] <= seen_until and test({**each, "subscription": _subscription(each)})
        ]
        start = _start(call.params.get("page"))
        more = len(found) > start + limit
        return {
            "object": "search_result",
            "data": found[start : start + limit],
            "has_more": more,
            "next_page": f"page_{start + limit}" if more else None,
            "url": call.path,
        }

    return search


def _start(page: str | None) -> int:
    if page is None:
        return 0
    number = page.removeprefix("page_")
    if not number.isdigit():
        raise InvalidRequest(f"Invalid page: '{page}'. Use the `next_page` of an answer.", param="page")
    return int(number)


def _subscription(value: Object) -> str | None:
    details = (value.get("parent") or {}).get("subscription_details")
    return str(details["subscription"]) if details else None


ROUTES = tuple(Route(f"get /v1/{kind}s/search", _search(kind), "query limit page expand") for kind in FIELDS)
