"""/v1/subscriptions."""

from __future__ import annotations

from .. import agenda
from ..engine import collection, cycle, final_invoice, pending_update, plan_change, preview, subscription_fields, trial, wanted
from ..errors import InvalidRequest, NotSupported, missing
from ..lists import page
from ..objects import Object, emptied
from ..periods import period_end
from ..resources import customers, discounts, events, payment_methods, subscriptions
from ..world import World
from .routes import LIST, Call, Route, required

FIELDS = (
    "items.price items.quantity items.metadata default_payment_method description metadata payment_behavior proration_behavior off_session "
    "trial_end trial_settings.end_behavior.missing_payment_method payment_settings.save_default_payment_method cancel_at_period_end expand "
    "discounts default_tax_rates automatic_tax.enabled collection_method days_until_due items.tax_rates add_invoice_items.price "
    "add_invoice_items.quantity application_fee_percent transfer_data.destination on_behalf_of"
)


def _create(world: World, call: Call) -> Object:
    params = call.params
    customer = world.store.get(customers.KIND, required(params, "customer"), param="customer")
    required(params, "items")
    subscription = cycle.start(
        world,
        customer=customer["id"],
        wanted=[wanted.new_item(world, each, place) for place, each in enumerate(params["items"])],
        trial_end=_trial_end(world, params),
        discounts_given=params.get("discounts") or (),
        once=subscription_fields.paid_once(world, params),
        default_payment_method=_method(world, params, customer["id"]),
        **subscription_fields.read(world, params, subscription_fields.NEW, customer),
    )
    if params.get("cancel_at_period_end"):
        _set_cancellation(world, subscription, params)
    if params.get("payment_behavior") == "pending_if_incomplete":
        raise InvalidRequest("`pending_if_incomplete` is for updates; nothing can be pending before it exists.", param="payment_behavior")
    if subscription["status"] == "incomplete" and params.get("payment_behavior") != "default_incomplete":
        _collect(world, subscription["latest_invoice"], params)
    return world.store.get(subscriptions.KIND, subscription["id"])


def _list(world: World, call: Call) -> Object:
    wanted, price = call.params.get("status"), call.params.get("price")
    exact = {"customer": call.params["customer"]} if "customer" in call.params else {}
    found = [
        each
        for each in world.store.where(subscriptions.KIND, **exact)
        if _has_status(each, wanted) and (price is None or any(item["price"]["id"] == price for item in subscriptions.items(each)))
    ]
    return page(found, call.params, url=call.path)


def _retrieve(world: World, call: Call) -> Object:
    return world.store.get(subscriptions.KIND, call.id)


def _update(world: World, call: Call) -> Object:
    params = call.params
    subscription = world.store.get(subscriptions.KIND, call.id)
    if set(params) - {"metadata", "cancellation_details", "expand"}:
        subscriptions.refuse_ended(subscription)
    subscription = _change_fields(world, subscription, params)
    if "trial_end" in params:
        trial.move_end(world, subscription, params["trial_end"])
        subscription = world.store.get(subscriptions.KIND, call.id)
    if "items" in params or params.get("billing_cycle_anchor") == "now":
        change_items(world, subscription, params)
    return world.store.get(subscriptions.KIND, call.id)


def _cancel(world: World, call: Call) -> Object:
    subscription = world.store.get(subscriptions.KIND, call.id)
    if call.params.get("prorate") and not call.params.get("invoice_now"):
        raise NotSupported("a credit on cancellation without a final invoice; send invoice_now too", param="prorate")
    if subscription["status"] in subscriptions.ENDED:
        raise InvalidRequest(f"No such subscription: '{call.id}'", code="resource_missing", param="id", status=404)
    details = {name: emptied(value) for name, value in call.params.get("cancellation_details", {}).items()}
    if call.params.get("invoice_now"):
        final_invoice.bill(world, subscription, prorates=bool(call.params.get("prorate")))
    return cycle.end(world, call.id, reason="cancellation_requested", details=details)


def _resume(world: World, call: Call) -> Object:
    if call.params.get("billing_cycle_anchor", "now") != "now":
        raise NotSupported("resuming with the old billing cycle", param="billing_cycle_anchor")
    invoice = cycle.resume(world, call.id)
    if invoice["status"] == "open":
        _collect(world, invoice["id"], {"payment_behavior": "error_if_incomplete"})
    why_not = {"status": "active", "status_details": None}
    subscription = subscriptions.change(world, call.id, **why_not)
    events.emit(world, "customer.subscription.resumed", subscription)
    return world.store.get(subscriptions.KIND, call.id)


def _delete_discount(world: World, call: Call) -> Object:
    subscription = world.store.get(subscriptions.KIND, call.id)
    if not subscription["discounts"]:
        raise missing("active discount for subscription", call.id, param="id")
    subscriptions.change(world, call.id, discounts=[])
    ended = [discounts.end(world, each) for each in subscription["discounts"]]
    return {**{name: value for name, value in ended[0].items() if name != "end"}, "deleted": True}


def _is_charged(subscription: Object) -> bool:
    return bool(subscription["collection_method"] == "charge_automatically")


def change_items(world: World, subscription: Object, params: Object) -> None:
    """Let a subscription have what an `items` parameter asks for, and bill the difference as asked."""
    behavior = params.get("proration_behavior", "create_prorations")
    items = wanted.wanted_items(world, subscription, params.get("items", []))
    at = preview.proration_moment(world, subscription, params)
    change = plan_change.work_out(
        world, subscription, items, behavior=behavior, at=at, resets_anchor=params.get("billing_cycle_anchor") == "now"
    )
    if params.get("payment_behavior") == "pending_if_incomplete":
        pending_update.attempt(world, subscription, change, behavior=behavior)
        return
    invoice_id = plan_change.apply(world, subscription, change, behavior=behavior)
    if invoice_id is not None and cycle.finalize(world, invoice_id)["status"] == "open" and _is_charged(subscription):
        _collect(world, invoice_id, params)


def _change_fields(world: World, subscription: Object, params: Object) -> Object:
    customer = world.store.get(customers.KIND, subscription["customer"])
    changes = subscription_fields.read(world, params, subscription, customer)
    if "default_payment_method" in params:
        changes["default_payment_method"] = _method(world, params, subscription["customer"])
    if "cancellation_details" in params:
        given = {name: emptied(value) for name, value in params["cancellation_details"].items()}
        changes["cancellation_details"] = {**subscription["cancellation_details"], **given}
    changed = subscriptions.change(world, subscription["id"], **changes)
    return _set_cancellation(world, changed, params) if {"cancel_at_period_end", "cancel_at"} & set(params) else changed


def _set_cancellation(world: World, subscription: Object, params: Object) -> Object:
    end_at = subscriptions.period(subscription)[1]
    at = params.get("cancel_at", "")
    if isinstance(at, str) and at:
        at = (min if at == "min_period_end" else max)(each["current_period_end"] for each in subscriptions.items(subscription))
    if at and at != end_at:
        return _set_end(world, subscription, at, params)
    if not params.get("cancel_at_period_end") and not at:
        return subscriptions.undo_cancellation(world, subscription["id"])
    return subscriptions.cancel_later(world, subscription["id"], at=end_at, is_flagged=bool(params.get("cancel_at_period_end")))


def _set_end(world: World, subscription: Object, at: int, params: Object) -> Object:
    """End at another moment than the period's end: where all periods end, or within this one and without a credit for the rest."""
    if at <= world.now:
        raise InvalidRequest("Invalid timestamp: must be an integer Unix timestamp in the future.", param="cancel_at")
    if not _is_every_end(subscription, at) and (at > subscriptions.period(subscription)[1] or params.get("proration_behavior") != "none"):
        raise NotSupported("cancel_at past this period, or with a proration; send proration_behavior=none", param="cancel_at")
    agenda.plan(world, cycle.END_BY_DATE, subscription["id"], at=at)
    return subscriptions.cancel_later(world, subscription["id"], at=at, is_flagged=False)


def _is_every_end(subscription: Object, at: int) -> bool:
    """Does a period of every item end at this moment?"""
    anchor = subscription["billing_cycle_anchor"]
    return all(period_end(anchor, each["price"]["recurring"], after=at - 1) == at for each in subscriptions.items(subscription))


def _collect(world: World, invoice_id: str, params: Object) -> None:
    decline = collection.collect(world, invoice_id)
    if decline is collection.NO_CARD or (decline is not None and params.get("payment_behavior") == "error_if_incomplete"):
        raise collection.error_for(world, invoice_id, decline, is_recorded=False)


def _method(world: World, params: Object, customer_id: str) -> str | None:
    chosen = params.get("default_payment_method")
    if not chosen:
        return None
    method = payment_methods.resolve(world, chosen, param="default_payment_method")
    if method["customer"] != customer_id:
        raise InvalidRequest(
            "The customer does not have a payment method with the ID " + method["id"] + ".",
            code="resource_missing",
            param="default_payment_method",
        )
    return str(method["id"])


def _trial_end(world: World, params: Object) -> int | None:
    if "trial_period_days" in params:
        return trial.end_after(world, params["trial_period_days"], param="trial_period_days")
    end_at = params.get("trial_end")
    if end_at in (None, "now"):
        return None
    if end_at <= world.now:
        raise InvalidRequest("Invalid timestamp: must be an integer Unix timestamp in the future.", param="trial_end")
    return int(end_at)


def _has_status(subscription: Object, wanted: str | None) -> bool:
    match wanted:
        case None:
            return bool(subscription["status"] != "canceled")
        case "all":
            return True
        case "ended":
            return subscription["status"] in subscriptions.ENDED
        case _:
            return bool(subscription["status"] == wanted)


ROUTES = (
    Route("post /v1/subscriptions", _create, f"{FIELDS} customer trial_period_days billing_mode.type"),
    Route("get /v1/subscriptions", _list, f"{LIST} customer price status"),
    Route("get /v1/subscriptions/{subscription_exposed_id}", _retrieve),
    Route(
        "post /v1/subscriptions/{subscription_exposed_id}",
        _update,
        f"{FIELDS} items.id items.deleted proration_date billing_cycle_anchor cancel_at cancellation_details pause_collection",
    ),
    Route("post /v1/subscriptions/{subscription}/resume", _resume, "billing_cycle_anchor proration_behavior expand"),
    Route("delete /v1/subscriptions/{subscription_exposed_id}/discount", _delete_discount),
    Route("delete /v1/subscriptions/{subscription_exposed_id}", _cancel, "cancellation_details prorate invoice_now expand"),
)
