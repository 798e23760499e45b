"""What a customer does on the portal page. A change that needs a payment happens only if the payment goes through."""

from __future__ import annotations

from ..cards import Card, refusal
from ..errors import InvalidRequest, OfflineOnly
from ..objects import Object
from ..resources import customers, payment_methods, portal_configurations, prices, subscriptions
from ..resources.subscriptions import Wanted
from ..world import World
from . import collection, cycle, plan_change

PREVIEW_S_MAX = 3600


def work_out(world: World, subscription: Object, price: Object, *, at: int) -> plan_change.Change:
    """Return what a switch of the whole subscription to one price does and costs, prorated from a moment.

    Args:
        at: the moment of the preview, so that what was shown is what is charged; at most an hour ago.

    Raises:
        InvalidRequest: the preview is too old, or from before the current period.
    """
    start, _ = subscriptions.period(subscription)
    if not max(start, world.now - PREVIEW_S_MAX) <= at <= world.now:
        raise InvalidRequest("This preview is no longer valid. Go back and choose the plan again.")
    item = subscriptions.items(subscription)[0]
    wanted = [Wanted(price=price, quantity=item["quantity"], item_id=item["id"])]
    return plan_change.work_out(world, subscription, wanted, behavior="always_invoice", at=at)


def change_plan(world: World, subscription_id: str, price: Object, *, at: int) -> None:
    """Switch the plan and collect the difference at once; raises CardDeclined, and the caller's transaction then keeps the old plan."""
    subscription = world.store.get(subscriptions.KIND, subscription_id)
    if subscription["status"] not in ("active", "trialing"):
        raise InvalidRequest("Pay the open invoice before you change the plan.")
    invoice_id = plan_change.apply(world, subscription, work_out(world, subscription, price, at=at), behavior="always_invoice")
    if invoice_id is not None and cycle.finalize(world, invoice_id)["status"] == "open":
        _collect(world, invoice_id, is_recorded=False)


def cancel(world: World, subscription_id: str, configuration: Object, *, feedback: str | None, comment: str | None) -> None:
    """End the subscription at its period's end, or now when the configuration says so."""
    details = {name: value for name, value in (("feedback", feedback), ("comment", comment)) if value}
    subscription = world.store.get(subscriptions.KIND, subscription_id)
    subscriptions.refuse_ended(subscription)
    if configuration["features"]["subscription_cancel"]["mode"] == "immediately" or subscription["status"] == "unpaid":
        cycle.end(world, subscription_id, reason="cancellation_requested", details=details)
        return
    # A flexible subscription's portal sets the date and leaves the older flag alone.
    subscriptions.cancel_later(world, subscription_id, at=subscriptions.period(subscription)[1], is_flagged=False, details=details)


def save_card(world: World, customer_id: str, card: Card, *, expires: tuple[int, int] | None, name: str) -> Object:
    """Make a card and return it, not yet in use: it may need 3-D Secure first. Raises CardDeclined."""
    if card.on_attach is not None:
        raise refusal(card.on_attach)
    email = world.store.get(customers.KIND, customer_id)["email"]
    return payment_methods.create(world, card, expires=expires, details={"email": email, "name": name})


def use_card(world: World, customer_id: str, method_id: str, *, is_authenticated: bool) -> None:
    """Charge this card from now on, for the customer and for every running subscription."""
    payment_methods.attach(world, method_id, customer_id)
    if is_authenticated:
        payment_methods.note_authentication(world, method_id)
    customers.update(world, customer_id, {"invoice_settings": {"default_payment_method": method_id}})
    for subscription in subscriptions.of_customer(world, customer_id):
        subscriptions.change(world, subscription["id"], default_payment_method=method_id)


def pay(world: World, invoice_id: str, *, is_authenticated: bool = False) -> None:
    """Pay an open invoice with the card on file; raises CardDeclined, and the attempt stays on record."""
    _collect(world, invoice_id, is_recorded=True, is_authenticated=is_authenticated)


def own(world: World, kind: str, object_id: str, customer_id: str) -> Object:
    """Return an object of this customer; another's is refused, whatever a form says."""
    found = world.store.get(kind, object_id)
    if found["customer"] != customer_id:
        raise OfflineOnly("That belongs to another customer.")
    return found


def offered(world: World, configuration: Object, subscription: Object) -> list[Object]:
    """Return the prices this subscription may switch to: those on offer, in its currency, without its own.

    As at Stripe, a subscription of several products or of metered prices cannot be switched in the portal.
    """
    current = subscriptions.items(subscription)[0]["price"]
    if len(subscriptions.items(subscription)) > 1 or prices.is_metered(current):
        return []
    fitting = [each for each in portal_configurations.offered_prices(world, configuration) if not prices.is_metered(each)]
    return [each for each in fitting if each["currency"] == subscription["currency"] and each["id"] != current["id"]]


def _collect(world: World, invoice_id: str, *, is_recorded: bool, is_authenticated: bool = False) -> None:
    decline = collection.collect(world, invoice_id, is_authenticated=is_authenticated)
    if decline is not None:
        raise collection.error_for(world, invoice_id, decline, is_recorded=is_recorded)
