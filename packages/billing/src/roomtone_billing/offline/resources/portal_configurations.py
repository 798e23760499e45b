"""Portal configurations: what a customer may do on the portal page."""

from __future__ import annotations

from ..objects import Object, emptied, merged_metadata
from ..world import World
from . import events

KIND = "billing_portal.configuration"
FEEDBACK = ["too_expensive", "missing_features", "switched_service", "unused", "customer_service", "too_complex", "low_quality", "other"]


def create(world: World, params: Object) -> Object:
    """Add a configuration."""
    configuration = world.store.add(
        KIND,
        {
            "id": world.new_id("bpc"),
            "object": "billing_portal.configuration",
            "active": True,
            "application": None,
            "business_profile": _profile(params.get("business_profile", {})),
            "created": world.now,
            "default_return_url": emptied(params.get("default_return_url")),
            "features": _features(params["features"]),
            "is_default": False,
            "livemode": False,
            "login_page": {"enabled": False, "url": None},
            "metadata": merged_metadata({}, params.get("metadata")),
            "name": emptied(params.get("name")),
            "updated": world.now,
        },
    )
    events.emit(world, "billing_portal.configuration.created", configuration)
    return configuration


def update(world: World, configuration_id: str, params: Object) -> Object:
    """Change what the parameters name; a feature is replaced whole."""
    before = world.store.get(KIND, configuration_id)
    changes: Object = {name: emptied(params[name]) for name in ("active", "default_return_url", "name") if name in params}
    if "features" in params:
        given = _features(params["features"])
        changes["features"] = {name: given[name] if name in params["features"] else value for name, value in before["features"].items()}
    if "business_profile" in params:
        changes["business_profile"] = {**before["business_profile"], **params["business_profile"]}
    if "metadata" in params:
        changes["metadata"] = merged_metadata(before["metadata"], params["metadata"])
    after = world.store.change(KIND, configuration_id, **changes, updated=world.now)
    events.emit(world, "billing_portal.configuration.updated", after, before=before)
    return after


def default(world: World) -> Object:
    """Return the account's default configuration, made at first need: everything allowed, every active recurring price on offer.

    In Stripe the owner saves it in the dashboard; here nobody can, so it is saved already.
    """
    for each in world.store.where(KIND, is_default=True):
        return each
    features = {
        "customer_update": {"enabled": True, "allowed_updates": ["email", "name", "address"]},
        "invoice_history": {"enabled": True},
        "payment_method_update": {"enabled": True},
        "subscription_cancel": {"enabled": True},
        "subscription_update": {"enabled": True, "default_allowed_updates": ["price"], "proration_behavior": "always_invoice"},
    }
    configuration = create(world, {"features": features})
    return world.store.change(KIND, configuration["id"], is_default=True)


def offered_prices(world: World, configuration: Object) -> list[Object]:
    """Return the prices a customer may switch to, cheapest first; none when switching is off."""
    update_feature = configuration["features"]["subscription_update"]
    if not update_feature["enabled"] or "price" not in update_feature["default_allowed_updates"]:
        return []
    listed = [price_id for product in update_feature["products"] or [] for price_id in product["prices"]]
    prices = [each for each in world.store.where("price", active=True) if each["recurring"]]
    if not configuration["is_default"]:
        prices = [each for each in prices if each["id"] in listed]
    return sorted(prices, key=lambda each: (each["recurring"]["interval"] == "year", float(each["unit_amount_decimal"])))


def _profile(given: Object) -> Object:
    return {name: emptied(given.get(name)) for name in ("headline", "privacy_policy_url", "terms_of_service_url")}


def _features(given: Object) -> Object:
    customer = given.get("customer_update", {})
    card = given.get("payment_method_update", {})
    cancel = given.get("subscription_cancel", {})
    change = given.get("subscription_update", {})
    reason = cancel.get("cancellation_reason", {})
    return {
        "customer_update": {"allowed_updates": customer.get("allowed_updates") or [], "enabled": customer.get("enabled", False)},
        "invoice_history": {"enabled": given.get("invoice_history", {}).get("enabled", False)},
        "payment_method_update": {"enabled": card.get("enabled", False), "payment_method_configuration": None},
        "subscription_cancel": {
            "cancellation_reason": {"enabled": reason.get("enabled", False), "options": reason.get("options") or FEEDBACK},
            "enabled": cancel.get("enabled", False),
            "mode": cancel.get("mode", "at_period_end"),
            "proration_behavior": cancel.get("proration_behavior", "none"),
        },
        "subscription_update": {
            "billing_cycle_anchor": None,
            "default_allowed_updates": change.get("default_allowed_updates") or [],
            "enabled": change.get("enabled", False),
            "products": [
                {
                    "adjustable_quantity": {"enabled": False, "maximum": None, "minimum": 1},
                    "prices": each["prices"],
                    "product": each["product"],
                }
                for each in change.get("products") or []
            ],
            "proration_behavior": change.get("proration_behavior", "none"),
            "schedule_at_period_end": {"conditions": []},
            "trial_update_behavior": "continue_trial",
        },
    }
