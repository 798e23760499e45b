"""Payment methods: saved cards. The test number behind each is kept apart, as a card vault would."""

from __future__ import annotations

import hashlib

from .. import cards
from ..errors import InvalidRequest, missing
from ..objects import NO_ADDRESS, Object, emptied, merged_metadata
from ..world import World, moment
from . import customers, events

KIND = "payment_method"
VAULT = "vault"


def create(
    world: World, card: cards.Card, *, expires: tuple[int, int] | None = None, details: Object | None = None, metadata: Object | None = None
) -> Object:
    """Add a card as a payment method of nobody yet.

    Args:
        expires: month and year; None means three years from now.
        details: billing details (email, name, phone, address).
    """
    month, year = expires or (12, moment(world.now).year + 3)
    given = details or {}
    method = world.store.add(
        KIND,
        {
            "id": world.new_id("pm"),
            "object": "payment_method",
            "allow_redisplay": "unspecified",
            "billing_details": {
                "address": {**NO_ADDRESS, **(emptied(given.get("address")) or {})},
                "email": emptied(given.get("email")),
                "name": emptied(given.get("name")),
                "phone": emptied(given.get("phone")),
                "tax_id": None,
            },
            **_means(card, month=month, year=year),
            "created": world.now,
            "customer": None,
            "customer_account": None,
            "livemode": False,
            "metadata": merged_metadata({}, metadata),
        },
    )
    world.store.add(VAULT, {"id": method["id"], "number": card.number, "is_set_up": False})
    return method


def resolve(world: World, method_id: str, *, param: str = "payment_method") -> Object:
    """Return a payment method; a documented alias such as `pm_card_visa` makes a new one each time."""
    alias = cards.by_alias(method_id)
    if alias is not None:
        return create(world, alias)
    if world.store.find(KIND, method_id) is None:
        raise missing("PaymentMethod", method_id, param=param)
    return world.store.get(KIND, method_id)


def attach(world: World, method_id: str, customer_id: str) -> Object:
    """Save a card with a customer.

    Raises:
        CardDeclined: the card cannot be saved.
        InvalidRequest: it belongs to somebody else already.
    """
    world.store.get(customers.KIND, customer_id, param="customer")
    method = resolve(world, method_id)
    if method["customer"] == customer_id:
        return method
    if method["customer"] is not None:
        raise InvalidRequest("The payment method you provided has already been attached to a customer.", param="payment_method")
    if (decline := card_of(world, method["id"]).on_attach) is not None:
        raise cards.refusal(decline)
    attached = world.store.change(KIND, method["id"], customer=customer_id)
    events.emit(world, "payment_method.attached", attached)
    return attached


def detach(world: World, method_id: str) -> Object:
    """Take a card away from its customer; whatever used it as a default no longer has one."""
    before = world.store.get(KIND, method_id)
    if before["customer"] is None:
        raise InvalidRequest(
            "The payment method you provided is not attached to a customer so detachment is impossible.", param="payment_method"
        )
    after = world.store.change(KIND, method_id, customer=None)
    events.emit(world, "payment_method.detached", after, before=before)
    customer = world.store.find(customers.KIND, before["customer"])
    if customer and not customer.get("deleted") and customer["invoice_settings"]["default_payment_method"] == method_id:
        customers.update(world, customer["id"], {"invoice_settings": {"default_payment_method": ""}})
    for subscription in list(world.store.where("subscription", default_payment_method=method_id)):
        changed = world.store.change("subscription", subscription["id"], default_payment_method=None)
        events.emit(world, "customer.subscription.updated", changed, before=subscription)
    return after


def update(world: World, method_id: str, params: Object) -> Object:
    """Change billing details or metadata."""
    before = world.store.get(KIND, method_id)
    details = {**before["billing_details"], **{name: emptied(value) for name, value in params.get("billing_details", {}).items()}}
    details["address"] = {**NO_ADDRESS, **(details["address"] or {})}
    metadata = merged_metadata(before["metadata"], params.get("metadata"))
    after = world.store.change(KIND, method_id, billing_details=details, metadata=metadata)
    events.emit(world, "payment_method.updated", after, before=before)
    return after


def card_of(world: World, method_id: str) -> cards.Card:
    """Return the test card behind a payment method."""
    return cards.by_number(world.store.get(VAULT, method_id)["number"])


def needs_authentication(world: World, method_id: str) -> bool:
    """Would the bank ask for 3-D Secure now?"""
    card = card_of(world, method_id)
    is_set_up = world.store.get(VAULT, method_id)["is_set_up"]
    return card.authenticates == "always" or (card.authenticates == "until_set_up" and not is_set_up)


def note_authentication(world: World, method_id: str) -> None:
    """The cardholder passed 3-D Secure, so later payments need not ask again."""
    world.store.change(VAULT, method_id, is_set_up=True)


def default_for(world: World, subscription: Object | None, customer_id: str) -> str | None:
    """Return the card to charge: the subscription's, else the customer's default."""
    if subscription is not None and subscription["default_payment_method"]:
        return str(subscription["default_payment_method"])
    customer = world.store.get(customers.KIND, customer_id)
    return customer["invoice_settings"]["default_payment_method"]  # type: ignore[no-any-return]


def _means(card: cards.Card, *, month: int, year: int) -> Object:
    if card.brand != "sepa_debit":
        return {"type": "card", "card": _card(card, month=month, year=year)}
    debit = {
        "bank_code": card.number[4:12],
        "branch_code": "",
        "country": card.number[:2],
        "fingerprint": hashlib.sha256(card.number.encode()).hexdigest()[:16],
        "generated_from": {"charge": None, "setup_attempt": None},
        "last4": card.last4,
    }
    return {"type": "sepa_debit", "sepa_debit": debit}


def _card(card: cards.Card, *, month: int, year: int) -> Object:
    return {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "US",
        "display_brand": card.brand,
        "exp_month": month,
        "exp_year": year,
        "fingerprint": hashlib.sha256(card.number.encode()).hexdigest()[:16],
        "funding": card.funding,
        "generated_from": None,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
