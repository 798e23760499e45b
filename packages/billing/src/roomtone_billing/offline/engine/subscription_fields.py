"""Reads the parameters that set a subscription's own fields, for its creation and for every later change."""

from __future__ import annotations

from .. import agenda
from ..errors import InvalidRequest, NotSupported
from ..objects import Object, emptied, merged_metadata
from ..resources import automatic_tax, discounts, prices, products, subscriptions, tax_rates
from ..world import World
from . import connect, cycle

NEW: Object = {
    "id": None,
    "billing_mode": {"flexible": {"proration_discounts": "included"}, "type": "flexible"},
    "collection_method": "charge_automatically",
    "days_until_due": None,
    "metadata": {},
    "payment_settings": {"payment_method_options": None, "payment_method_types": None, "save_default_payment_method": "off"},
}


def read(world: World, params: Object, before: Object, customer: Object) -> Object:
    """Return the fields that the parameters set.

    Args:
        before: the subscription, or `NEW`.
    """
    fields: Object = {name: emptied(params[name]) for name in ("description", "on_behalf_of", "trial_settings") if name in params}
    if "metadata" in params:
        fields["metadata"] = merged_metadata(before["metadata"], params["metadata"])
    if "payment_settings" in params:
        fields["payment_settings"] = {**before["payment_settings"], **params["payment_settings"]}
    if "default_tax_rates" in params:
        fields["default_tax_rates"] = tax_rates.named(world, params["default_tax_rates"], param="default_tax_rates")
    if "automatic_tax" in params:
        automatic_tax.refuse_unknown_place(customer, params["automatic_tax"])
        enabled = params["automatic_tax"]["enabled"]
        fields["automatic_tax"] = {"disabled_reason": None, "enabled": enabled, "liability": {"type": "self"} if enabled else None}
    fields |= connect_terms(world, params, before)
    return {**fields, **_collection(params, before), **_mode(params), **_later(world, params, before)}


def connect_terms(world: World, params: Object, before: Object = NEW) -> Object:
    """Return what a subscription of a marketplace says about its invoices' money; raises InvalidRequest when no account can have it."""
    fields: Object = {}
    if "application_fee_percent" in params:
        fields["application_fee_percent"] = percent = emptied(params["application_fee_percent"])
        if percent is not None and not 0 <= percent <= 100:
            raise InvalidRequest("The application fee is 0 to 100 percent.", param="application_fee_percent")
        if percent and world.store.account is None and not params.get("transfer_data", before.get("transfer_data")):
            raise InvalidRequest("An application fee needs a connected account.", param="application_fee_percent")
    if "transfer_data" in params:
        connect.refuse_unready(world, {"transfer_data": params["transfer_data"] or {}})
        fields["transfer_data"] = params["transfer_data"] and {
            "amount_percent": None,
            "destination": params["transfer_data"]["destination"],
        }
    return fields


def paid_once(world: World, params: Object) -> list[Object]:
    """Return what `add_invoice_items` puts on the first invoice; raises InvalidRequest for a recurring price."""
    found = []
    for place, each in enumerate(params.get("add_invoice_items", [])):
        price = prices.one_time_price(world, each.get("price", ""), param=f"add_invoice_items[{place}][price]")
        found.append({"price": price, "quantity": each.get("quantity", 1), "description": products.name_of(world, {"price": price})})
    return found


def _collection(params: Object, before: Object) -> Object:
    method = params.get("collection_method", before["collection_method"])
    days = params.get("days_until_due", before["days_until_due"])
    if (method == "send_invoice") != (days is not None):
        raise InvalidRequest("`days_until_due` belongs to `collection_method=send_invoice`, which needs it.", param="days_until_due")
    return {"collection_method": method, "days_until_due": days}


def _mode(params: Object) -> Object:
    kind = params.get("billing_mode", {}).get("type", "flexible")
    if kind != "flexible":
        raise NotSupported("the classic billing mode", param="billing_mode[type]")
    return {}


def _later(world: World, params: Object, before: Object) -> Object:
    """What only a running subscription has: a paused collection, other discounts."""
    if before["id"] is None:
        return {}
    fields: Object = {}
    if "pause_collection" in params:
        fields["pause_collection"] = _pause(world, params["pause_collection"], before["id"])
    if "discounts" in params:
        amount = sum(prices.upfront(each["price"], each.get("quantity")) for each in subscriptions.items(before))
        given = params["discounts"] or []
        applied = [discounts.apply(world, each, customer=before["customer"], amount=amount, subscription=before["id"]) for each in given]
        fields["discounts"] = [each["id"] for each in applied]
        for gone in set(before["discounts"]) - set(fields["discounts"]):
            discounts.end(world, gone)
    return fields


def _pause(world: World, asked: Object | str, subscription_id: str) -> Object | None:
    agenda.cancel(world, cycle.RESUME_COLLECTION, subscription_id)
    if not isinstance(asked, dict):
        return None
    if asked.get("resumes_at"):
        agenda.plan(world, cycle.RESUME_COLLECTION, subscription_id, at=asked["resumes_at"])
    return {"behavior": asked["behavior"], "resumes_at": asked.get("resumes_at")}
