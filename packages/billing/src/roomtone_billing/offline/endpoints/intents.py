"""/v1/payment_intents and /v1/setup_intents."""

from __future__ import annotations

from ..engine import connect, intents
from ..errors import InvalidRequest, NotSupported
from ..objects import Object, emptied, merged_metadata
from ..resources import customers, payment_intents, payment_methods, setup_intents
from ..world import World
from .routes import LIST, Call, Route, listing, retrieving

PAYMENT = (
    "amount currency customer description metadata payment_method payment_method_types receipt_email setup_future_usage "
    "statement_descriptor automatic_payment_methods transfer_group application_fee_amount transfer_data.destination "
    "transfer_data.amount on_behalf_of expand"
)
SETUP = "customer description metadata payment_method payment_method_types usage expand"
CONFIRM = "payment_method off_session return_url expand"
PLAIN = ("description", "receipt_email", "statement_descriptor", "transfer_group")
AMOUNT_MAX = 99_999_999


def _create(world: World, call: Call) -> Object:
    params = call.params
    _refuse_amount(params["amount"])
    if params.get("confirmation_method", "automatic") != "automatic":
        raise NotSupported("manual confirmation", param="confirmation_method")
    if params.get("customer"):
        world.store.get(customers.KIND, params["customer"], param="customer")
    connect.refuse_unready(world, params)
    chosen = params.get("payment_method")
    method = payment_methods.resolve(world, chosen) if chosen else None
    intent = payment_intents.create(
        world,
        amount=params["amount"],
        currency=params["currency"],
        customer=params.get("customer"),
        description=params.get("description"),
        **_fields(params),
        capture_method=params.get("capture_method", "automatic"),
        metadata=merged_metadata({}, params.get("metadata")),
        payment_method=method["id"] if method else None,
        status="requires_confirmation" if method else "requires_payment_method",
    )
    if params.get("confirm"):
        return intents.confirm_payment(world, intent["id"], None, off_session=params.get("off_session") is True)
    return intent


def _fields(params: Object) -> Object:
    fields: Object = {name: emptied(params[name]) for name in PLAIN if name in params}
    fields["setup_future_usage"] = emptied(params.get("setup_future_usage"))
    fields["payment_method_types"] = params.get("payment_method_types", ["card"])
    if params.get("automatic_payment_methods", {}).get("enabled"):
        fields["automatic_payment_methods"] = {"allow_redirects": "always", "enabled": True}
    for name in ("application_fee_amount", "on_behalf_of"):
        if name in params:
            fields[name] = params[name]
    if "transfer_data" in params:
        fields["transfer_data"] = dict(params["transfer_data"])
    return fields


def _update(world: World, call: Call) -> Object:
    params, intent = call.params, world.store.get(payment_intents.KIND, call.id)
    if intent["status"] not in intents.CONFIRMABLE and set(params) - {"metadata", "description", "expand"}:
        raise InvalidRequest(
            f"This PaymentIntent is {intent['status']} and can no longer be changed.", code="payment_intent_unexpected_state"
        )
    changes: Object = {name: emptied(params[name]) for name in (*PLAIN, "setup_future_usage", "currency") if name in params}
    if "amount" in params:
        _refuse_amount(params["amount"])
        changes["amount"] = params["amount"]
    if "customer" in params:
        changes["customer"] = world.store.get(customers.KIND, params["customer"], param="customer")["id"]
    if params.get("payment_method"):
        changes["payment_method"] = payment_methods.resolve(world, params["payment_method"])["id"]
        changes["status"] = "requires_confirmation"
    if "metadata" in params:
        changes["metadata"] = merged_metadata(intent["metadata"], params["metadata"])
    return payment_intents.change(world, call.id, **changes)


def _confirm(world: World, call: Call) -> Object:
    return intents.confirm_payment(world, call.id, _chosen(world, call), off_session=call.params.get("off_session") is True)


def _capture(world: World, call: Call) -> Object:
    return intents.capture(world, call.id, call.params.get("amount_to_capture"))


def _cancel(world: World, call: Call) -> Object:
    return intents.cancel_payment(world, call.id, reason=call.params.get("cancellation_reason"))


def _create_setup(world: World, call: Call) -> Object:
    params = call.params
    if params.get("customer"):
        world.store.get(customers.KIND, params["customer"], param="customer")
    intent = setup_intents.create(world, params, payment_method=_chosen(world, call))
    return intents.confirm_setup(world, intent["id"], None) if params.get("confirm") else intent


def _update_setup(world: World, call: Call) -> Object:
    params, intent = call.params, world.store.get(setup_intents.KIND, call.id)
    changes: Object = {name: emptied(params[name]) for name in ("customer", "description") if name in params}
    if "payment_method" in params:
        changes |= {"payment_method": _chosen(world, call), "status": "requires_confirmation"}
    return setup_intents.change(world, call.id, **changes, metadata=merged_metadata(intent["metadata"], params.get("metadata")))


def _confirm_setup(world: World, call: Call) -> Object:
    return intents.confirm_setup(world, call.id, _chosen(world, call))


def _cancel_setup(world: World, call: Call) -> Object:
    return intents.cancel_setup(world, call.id, reason=call.params.get("cancellation_reason"))


def _chosen(world: World, call: Call) -> str | None:
    chosen = call.params.get("payment_method")
    return str(payment_methods.resolve(world, chosen)["id"]) if chosen else None


def _refuse_amount(amount: int) -> None:
    if amount < 1:
        raise InvalidRequest("This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount")
    if amount > AMOUNT_MAX:
        raise InvalidRequest("Amount must be no more than 999,999.99.", code="amount_too_large", param="amount")


ROUTES = (
    Route("post /v1/payment_intents", _create, f"{PAYMENT} confirm confirmation_method capture_method off_session return_url"),
    Route("get /v1/payment_intents", listing(payment_intents.KIND, "customer"), f"{LIST} customer"),
    Route("get /v1/payment_intents/{intent}", retrieving(payment_intents.KIND), "expand client_secret"),
    Route("post /v1/payment_intents/{intent}", _update, PAYMENT),
    Route("post /v1/payment_intents/{intent}/confirm", _confirm, CONFIRM),
    Route("post /v1/payment_intents/{intent}/capture", _capture, "amount_to_capture expand"),
    Route("post /v1/payment_intents/{intent}/cancel", _cancel, "cancellation_reason expand"),
    Route("post /v1/setup_intents", _create_setup, f"{SETUP} confirm return_url"),
    Route("get /v1/setup_intents", listing(setup_intents.KIND, "customer", "payment_method"), f"{LIST} customer payment_method"),
    Route("get /v1/setup_intents/{intent}", retrieving(setup_intents.KIND), "expand client_secret"),
    Route("post /v1/setup_intents/{intent}", _update_setup, "customer description metadata payment_method expand"),
    Route("post /v1/setup_intents/{intent}/confirm", _confirm_setup, "payment_method return_url expand"),
    Route("post /v1/setup_intents/{intent}/cancel", _cancel_setup, "cancellation_reason expand"),
)
