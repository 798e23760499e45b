"""/v1/checkout/sessions, /v1/billing_portal/configurations and /v1/billing_portal/sessions."""

from __future__ import annotations

from ..engine import checkout
from ..errors import NotSupported
from ..lists import page
from ..objects import Object, merged_metadata
from ..resources import checkout_sessions, portal_configurations, portal_sessions
from ..world import World
from .routes import LIST, Call, Route, required

METHODS = frozenset(["card", "sepa_debit"])
CHECKOUT = (
    "mode line_items.price line_items.quantity customer customer_email client_reference_id success_url cancel_url metadata locale "
    "automatic_tax.enabled expires_at payment_method_types payment_method_collection billing_address_collection ui_mode expand "
    "subscription_data.metadata subscription_data.description line_items.price_data discounts allow_promotion_codes currency "
    "customer_creation setup_intent_data.description setup_intent_data.metadata payment_intent_data.description "
    "payment_intent_data.metadata payment_intent_data.receipt_email payment_intent_data.statement_descriptor "
    "payment_intent_data.setup_future_usage payment_intent_data.transfer_group payment_intent_data.application_fee_amount "
    "payment_intent_data.transfer_data.destination payment_intent_data.on_behalf_of subscription_data.application_fee_percent "
    "subscription_data.transfer_data.destination subscription_data.trial_period_days subscription_data.trial_end "
    "subscription_data.trial_settings"
)
CONFIGURATION = (
    "business_profile default_return_url metadata name expand features.customer_update features.invoice_history "
    "features.payment_method_update.enabled features.subscription_cancel.enabled features.subscription_cancel.mode "
    "features.subscription_cancel.cancellation_reason features.subscription_cancel.proration_behavior features.subscription_update.enabled "
    "features.subscription_update.default_allowed_updates features.subscription_update.products.product "
    "features.subscription_update.products.prices features.subscription_update.proration_behavior"
)


def _create(world: World, call: Call) -> Object:
    required(call.params, "mode")
    if call.params.get("ui_mode", "hosted_page") != "hosted_page":
        raise NotSupported("Checkout that is embedded in the caller's page", param="ui_mode")
    if not METHODS.issuperset(types := call.params.get("payment_method_types", ["card"])) or not types:
        raise NotSupported("payment methods other than cards and SEPA debits", param="payment_method_types")
    return checkout.open_session(world, call.params)


def _list(world: World, call: Call) -> Object:
    exact = {name: call.params[name] for name in ("customer", "subscription", "status") if name in call.params}
    return page(world.store.where(checkout_sessions.KIND, **exact), call.params, url=call.path)


def _retrieve(world: World, call: Call) -> Object:
    return world.store.get(checkout_sessions.KIND, call.id)


def _update(world: World, call: Call) -> Object:
    session = world.store.get(checkout_sessions.KIND, call.id)
    return checkout_sessions.change(world, call.id, metadata=merged_metadata(session["metadata"], call.params.get("metadata")))


def _expire(world: World, call: Call) -> Object:
    return checkout_sessions.expire(world, call.id)


def _line_items(world: World, call: Call) -> Object:
    return page(reversed(checkout_sessions.line_items(world, call.id)), call.params, url=call.path)


def _refuse_other_prorations(params: Object) -> None:
    features = params.get("features", {})
    change, cancel = features.get("subscription_update", {}), features.get("subscription_cancel", {})
    if change.get("enabled") and change.get("proration_behavior", "none") != "always_invoice":
        raise NotSupported(
            "plan changes in the portal that are not billed at once", param="features[subscription_update][proration_behavior]"
        )
    if cancel.get("proration_behavior", "none") != "none":
        raise NotSupported("credits for cancelling in the portal", param="features[subscription_cancel][proration_behavior]")


def _create_configuration(world: World, call: Call) -> Object:
    _refuse_other_prorations(call.params)
    return portal_configurations.create(world, call.params)


def _list_configurations(world: World, call: Call) -> Object:
    exact = {name: call.params[name] for name in ("active", "is_default") if name in call.params}
    return page(world.store.where(portal_configurations.KIND, **exact), call.params, url=call.path)


def _retrieve_configuration(world: World, call: Call) -> Object:
    return world.store.get(portal_configurations.KIND, call.id)


def _update_configuration(world: World, call: Call) -> Object:
    _refuse_other_prorations(call.params)
    return portal_configurations.update(world, call.id, call.params)


def _create_portal(world: World, call: Call) -> Object:
    required(call.params, "customer")
    return portal_sessions.create(world, call.params)


ROUTES = (
    Route("post /v1/checkout/sessions", _create, CHECKOUT),
    Route("get /v1/checkout/sessions", _list, f"{LIST} customer subscription status"),
    Route("get /v1/checkout/sessions/{session}", _retrieve),
    Route("post /v1/checkout/sessions/{session}", _update, "metadata expand"),
    Route("post /v1/checkout/sessions/{session}/expire", _expire),
    Route("get /v1/checkout/sessions/{session}/line_items", _line_items, LIST),
    Route("post /v1/billing_portal/configurations", _create_configuration, CONFIGURATION),
    Route("get /v1/billing_portal/configurations", _list_configurations, f"{LIST} active is_default"),
    Route("get /v1/billing_portal/configurations/{configuration}", _retrieve_configuration),
    Route("post /v1/billing_portal/configurations/{configuration}", _update_configuration, f"{CONFIGURATION} active"),
    Route("post /v1/billing_portal/sessions", _create_portal, "customer configuration return_url locale expand"),
)
