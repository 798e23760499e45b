"""/v1/invoices."""

from __future__ import annotations

from .. import agenda
from ..engine import collection, cycle, drafting, preview, subscription_fields
from ..errors import InvalidRequest, NotSupported
from ..lists import page
from ..objects import Object, emptied, merged_metadata
from ..resources import customers, discounts, invoices, payment_methods, subscriptions, tax_rates
from ..world import World
from .routes import LIST, Call, Route, required

CURRENCY = "eur"  # of an invoice for a customer without one, as the account's default
ALWAYS = {"auto_advance", "metadata", "expand"}
FIELDS = "auto_advance default_payment_method description footer metadata"
BILLED = "automatic_tax.enabled collection_method days_until_due default_tax_rates discounts"
PREVIEW = "trial_end items.id items.price items.quantity items.deleted proration_behavior proration_date billing_cycle_anchor"


def _list(world: World, call: Call) -> Object:
    exact = {name: call.params[name] for name in ("customer", "status") if name in call.params}
    wanted = call.params.get("subscription")
    found = [each for each in world.store.where(invoices.KIND, **exact) if wanted in (None, invoices.subscription_id(each))]
    return page(found, call.params, url=call.path)


def _retrieve(world: World, call: Call) -> Object:
    return world.store.get(invoices.KIND, call.id)


def _create(world: World, call: Call) -> Object:
    params = call.params
    customer = world.store.get(customers.KIND, required(params, "customer"), param="customer")
    fields = subscription_fields.read(world, params, subscription_fields.NEW, customer)
    currency = params.get("currency") or customer["currency"] or CURRENCY
    billed = invoices.standalone(
        customer["id"],
        currency=currency,
        **{name: fields[name] for name in ("automatic_tax", "collection_method", "days_until_due", "default_tax_rates") if name in fields},
        discounts=[discounts.apply(world, each, customer=customer["id"], amount=0)["id"] for each in params.get("discounts") or []],
    )
    takes = params.get("pending_invoice_items_behavior", "exclude") == "include"
    values = {"auto_advance": params.get("auto_advance", False), **_own_fields(world, params, customer["id"])}
    period = (world.now, world.now)
    invoice = drafting.open_draft(world, billed, [], reason="manual", period=period, takes_pending=takes, **values)
    if invoice["auto_advance"]:
        _plan_finalization(world, invoice)
    return world.store.get(invoices.KIND, invoice["id"])


def _update(world: World, call: Call) -> Object:
    params = call.params
    invoice = world.store.get(invoices.KIND, call.id)
    if set(params) - ALWAYS:
        drafting.refuse_closed(invoice)
    moved: Object = {}
    if "default_tax_rates" in params:
        moved["default_tax_rates"] = tax_rates.named(world, params["default_tax_rates"], param="default_tax_rates")
    if "discounts" in params:
        given, customer = params["discounts"] or [], invoice["customer"]
        moved["discounts"] = [discounts.apply(world, each, customer=customer, amount=invoice["subtotal"])["id"] for each in given]
    if moved:
        drafting.change_billing(world, call.id, **moved)
    changed = invoices.change(world, call.id, **_own_fields(world, params, invoice["customer"], invoice["metadata"]))
    if "auto_advance" in params:
        changed = invoices.change(world, call.id, auto_advance=params["auto_advance"])
        if changed["status"] == "draft" and params["auto_advance"]:
            _plan_finalization(world, changed)
    return world.store.get(invoices.KIND, call.id)


def _own_fields(world: World, params: Object, customer_id: str, metadata: Object | None = None) -> Object:
    fields: Object = {name: emptied(params[name]) for name in ("description", "footer") if name in params}
    if "metadata" in params:
        fields["metadata"] = merged_metadata(metadata or {}, params["metadata"])
    if params.get("default_payment_method"):
        method = payment_methods.attach(world, params["default_payment_method"], customer_id)
        fields["default_payment_method"] = method["id"]
    return fields


def _plan_finalization(world: World, invoice: Object) -> None:
    at = world.now + world.settings.draft_s
    invoices.change(world, invoice["id"], automatically_finalizes_at=at)
    agenda.plan(world, cycle.FINALIZE, invoice["id"], at=at)


def _delete(world: World, call: Call) -> Object:
    return drafting.delete(world, call.id)


def _send(world: World, call: Call) -> Object:
    invoice = world.store.get(invoices.KIND, call.id)
    if invoice["status"] == "draft":
        _finalize(world, call)
    elif invoice["status"] == "open":
        cycle.send(world, call.id)
    else:
        raise InvalidRequest(f"This invoice is {invoice['status']}, so it can't be sent.", code="invoice_not_editable")
    return world.store.get(invoices.KIND, call.id)


def _mark_uncollectible(world: World, call: Call) -> Object:
    return invoices.mark_uncollectible(world, call.id)


def _lines(world: World, call: Call) -> Object:
    return page(reversed(world.store.get(invoices.KIND, call.id)["lines"]["data"]), call.params, url=call.path)


def _finalize(world: World, call: Call) -> Object:
    agenda.cancel(world, cycle.FINALIZE, call.id)
    if "auto_advance" in call.params:
        invoices.change(world, call.id, auto_advance=call.params["auto_advance"])
    return cycle.finalize(world, call.id)


def _pay(world: World, call: Call) -> Object:
    invoice = world.store.get(invoices.KIND, call.id)
    if invoice["status"] == "paid":
        raise InvalidRequest("Invoice is already paid", code="invoice_already_paid")
    if invoice["status"] == "draft":
        invoice = cycle.finalize(world, call.id)
        if invoice["status"] == "paid":
            return invoice
    if call.params.get("paid_out_of_band"):
        invoices.mark_paid(world, call.id, is_off_stripe=True)
        collection.after_payment(world, call.id)
        return world.store.get(invoices.KIND, call.id)
    chosen = call.params.get("payment_method")
    method_id = payment_methods.attach(world, chosen, invoice["customer"])["id"] if chosen else None
    decline = collection.collect(world, call.id, method_id=method_id)
    if decline is not None:
        raise collection.error_for(world, call.id, decline, is_recorded=True)
    return world.store.get(invoices.KIND, call.id)


def _void(world: World, call: Call) -> Object:
    return invoices.void(world, call.id)


def _preview(world: World, call: Call) -> Object:
    params = call.params
    if "subscription" not in params:
        return _preview_new(world, params)
    subscription = world.store.get(subscriptions.KIND, params["subscription"], param="subscription")
    if params.get("customer", subscription["customer"]) != subscription["customer"]:
        raise InvalidRequest("The subscription does not belong to this customer.", param="subscription")
    world.store.get(customers.KIND, subscription["customer"])
    subscriptions.refuse_ended(subscription)
    details = params.get("subscription_details", {})
    return preview.preview(world, subscription, details)


def _preview_new(world: World, params: Object) -> Object:
    """The first invoice that a new subscription would bring."""
    customer = world.store.get(customers.KIND, required(params, "customer"), param="customer")
    details = required(params, "subscription_details")
    if set(details) - {"items", "trial_end"} or params.get("discounts"):
        raise NotSupported("previews of a new subscription with more than items and trial_end", param="subscription_details")
    return preview.preview_new(world, customer, required(details, "items"), trial_end=details.get("trial_end"))


ROUTES = (
    Route("post /v1/invoices", _create, f"{FIELDS} {BILLED} customer currency pending_invoice_items_behavior expand"),
    Route("delete /v1/invoices/{invoice}", _delete),
    Route("post /v1/invoices/{invoice}/send", _send),
    Route("post /v1/invoices/{invoice}/mark_uncollectible", _mark_uncollectible),
    Route("get /v1/invoices", _list, f"{LIST} customer status subscription"),
    Route("get /v1/invoices/{invoice}", _retrieve),
    Route("post /v1/invoices/{invoice}", _update, f"{FIELDS} default_tax_rates discounts expand"),
    Route("get /v1/invoices/{invoice}/lines", _lines, LIST),
    Route("post /v1/invoices/{invoice}/finalize", _finalize, "auto_advance expand"),
    Route("post /v1/invoices/{invoice}/pay", _pay, "payment_method off_session paid_out_of_band expand"),
    Route("post /v1/invoices/{invoice}/void", _void),
    Route(
        "post /v1/invoices/create_preview",
        _preview,
        "customer subscription expand " + " ".join(f"subscription_details.{name}" for name in PREVIEW.split()),
    ),
)
