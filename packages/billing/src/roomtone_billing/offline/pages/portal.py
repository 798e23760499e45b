"""The customer portal: plan, cancellation, card and invoices of one customer. The address is the key to it."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from .. import cards
from ..engine import portal
from ..errors import CardDeclined, InvalidRequest, OfflineOnly, StripeError
from ..objects import Object
from ..resources import (
    customers,
    invoice_sums,
    invoices,
    payment_methods,
    portal_configurations,
    portal_sessions,
    prices,
    products,
    subscriptions,
)
from ..world import World, moment
from .checkout import Form, read_card
from .host import host

pages = Blueprint("portal", __name__, url_prefix="/p/session/<session_id>")
Page = str | Response | tuple[str, int]
DONE = {
    "canceled": "Your subscription will end as shown below. You can take that back until then.",
    "ended": "Your subscription has ended.",
    "resumed": "Your subscription goes on.",
    "changed": "Your plan has been changed.",
    "card": "Your card has been saved. It will be used from now on.",
    "paid": "Thank you. The invoice is paid.",
}


@dataclass(frozen=True, kw_only=True)
class Visit:
    """Who is here, and what they may do."""

    session: Object
    customer: Object
    configuration: Object

    @property
    def features(self) -> Object:
        """The configuration's switches."""
        return self.configuration["features"]  # type: ignore[no-any-return]

    def require(self, feature: str) -> None:
        """Refuse what the configuration does not allow."""
        if not self.features[feature]["enabled"]:
            raise OfflineOnly("The business has not switched this on for its customers.")


@pages.get("")
def overview(session_id: str) -> Page:
    """Show everything on one page."""
    with host().transaction() as world:
        return _overview(world, _visit(world, session_id), done=DONE.get(request.args.get("done", "")))


@pages.get("/cancel")
def ask_cancel(session_id: str) -> Page:
    """Say what cancelling means, and ask why."""
    with host().transaction() as world:
        visit = _visit(world, session_id)
        visit.require("subscription_cancel")
        subscription = portal.own(world, subscriptions.KIND, request.args.get("subscription", ""), visit.customer["id"])
        return render_template("portal_cancel.html", **_shared(world, visit), subscription=subscription, plan=_plan(world, subscription))


@pages.post("/cancel")
def cancel(session_id: str) -> Page:
    """Cancel."""
    with host().transaction() as world:
        visit = _visit(world, session_id)
        visit.require("subscription_cancel")
        subscription = portal.own(world, subscriptions.KIND, request.form.get("subscription", ""), visit.customer["id"])
        feedback = request.form.get("feedback", "")
        allowed = visit.features["subscription_cancel"]["cancellation_reason"]["options"]
        comment = request.form.get("comment", "").strip()[:500]
        portal.cancel(
            world, subscription["id"], visit.configuration, feedback=feedback if feedback in allowed else None, comment=comment or None
        )
        has_ended = world.store.get(subscriptions.KIND, subscription["id"])["status"] == "canceled"
        return _back(session_id, "ended" if has_ended else "canceled")


@pages.post("/resume")
def resume(session_id: str) -> Page:
    """Take a cancellation back."""
    with host().transaction() as world:
        visit = _visit(world, session_id)
        visit.require("subscription_cancel")
        subscription = portal.own(world, subscriptions.KIND, request.form.get("subscription", ""), visit.customer["id"])
        subscriptions.refuse_ended(subscription)
        subscriptions.undo_cancellation(world, subscription["id"])
        return _back(session_id, "resumed")


@pages.get("/change")
def choose_plan(session_id: str) -> Page:
    """List the plans; with a price chosen, show what the change costs now, to the cent."""
    with host().transaction() as world:
        visit = _visit(world, session_id)
        subscription = portal.own(world, subscriptions.KIND, request.args.get("subscription", ""), visit.customer["id"])
        price = _offered_price(world, visit, subscription, request.args.get("price")) if "price" in request.args else None
        return _change_page(world, visit, subscription, price, at=world.now)


@pages.post("/change")
def change_plan(session_id: str) -> Page:
    """Make the change that was shown; when the payment fails the old plan stays."""
    with host().lock:
        world = host().world
        visit = _visit(world, session_id)
        subscription = portal.own(world, subscriptions.KIND, request.form.get("subscription", ""), visit.customer["id"])
        price = _offered_price(world, visit, subscription, request.form.get("price"))
        try:
            with host().transaction():
                portal.change_plan(world, subscription["id"], price, at=_integer(request.form.get("at", "")))
        except StripeError as error:
            with host().transaction():
                return _change_page(world, visit, subscription, price, at=world.now, problem=error.message), error.status
        return _back(session_id, "changed")


@pages.get("/card")
def card(session_id: str) -> Page:
    """Show the form for another card."""
    with host().transaction() as world:
        visit = _visit(world, session_id)
        visit.require("payment_method_update")
        number = request.args.get("card", "")
        return _card_page(world, visit, Form(values={"number": number, "expiry": "12 / 34", "cvc": "123"} if number else {}))


@pages.post("/card")
def save_card(session_id: str) -> Page:
    """Save the card, after 3-D Secure where the bank wants it."""
    with host().lock:
        world = host().world
        visit = _visit(world, session_id)
        visit.require("payment_method_update")
        form = Form(values={name: request.form.get(name, "").strip() for name in ("name", "number", "expiry", "cvc")})
        chosen, expires = read_card(form, now_year=moment(world.now).year)
        if chosen is None or form.problems:
            return _card_page(world, visit, form), 422
        try:
            with host().transaction():
                method = portal.save_card(world, visit.customer["id"], chosen, expires=expires, name=form.values["name"])
                if payment_methods.needs_authentication(world, method["id"]):
                    return redirect(url_for("portal.authenticate", session_id=session_id, method=method["id"]), 303)
                portal.use_card(world, visit.customer["id"], method["id"], is_authenticated=False)
        except CardDeclined as error:
            form.problems[""] = error.message
            return _card_page(world, visit, form), 402
        return _back(session_id, "card")


@pages.get("/card/confirm")
def authenticate(session_id: str) -> Page:
    """Stand in for the bank's 3-D Secure page."""
    with host().transaction() as world:
        _visit(world, session_id)
        action = url_for("portal.answer", session_id=session_id, method=request.args.get("method", ""))
        return render_template("secure.html", action=action, amount=None, currency=None, business=world.settings.business)


@pages.post("/card/confirm")
def answer(session_id: str) -> Page:
    """Use the card if the cardholder passed."""
    with host().transaction() as world:
        visit = _visit(world, session_id)
        visit.require("payment_method_update")
        if request.form.get("answer") != "pass":
            return _card_page(world, visit, Form(values={}, problems={"": cards.AUTHENTICATION.message})), 402
        portal.use_card(world, visit.customer["id"], request.args.get("method", ""), is_authenticated=True)
        return _back(session_id, "card")


@pages.post("/pay")
def pay(session_id: str) -> Page:
    """Pay an open invoice with the card on file."""
    with host().transaction() as world:
        visit = _visit(world, session_id)
        invoice = portal.own(world, invoices.KIND, request.form.get("invoice", ""), visit.customer["id"])
        if invoice["status"] == "paid":
            return _back(session_id, "paid")
        try:
            portal.pay(world, invoice["id"])
        except (CardDeclined, InvalidRequest) as error:
            if error.code == cards.AUTHENTICATION.code:
                return redirect(url_for("invoice.authenticate", invoice_id=invoice["id"]), 303)
            return _overview(world, visit, problem=f"{error.message} The invoice is still open; try another card."), 402
        return _back(session_id, "paid")


def _visit(world: World, session_id: str) -> Visit:
    session = world.store.get(portal_sessions.KIND, session_id)
    if not portal_sessions.is_open(world, session):
        raise OfflineOnly("This link has expired. Open the portal again from where you came.")
    customer = world.store.get(customers.KIND, session["customer"])
    return Visit(session=session, customer=customer, configuration=world.store.get(portal_configurations.KIND, session["configuration"]))


def _shared(world: World, visit: Visit) -> dict[str, object]:
    return {"session": visit.session, "customer": visit.customer, "features": visit.features, "business": world.settings.business}


def _overview(world: World, visit: Visit, *, done: str | None = None, problem: str | None = None) -> str:
    running = subscriptions.of_customer(world, visit.customer["id"])
    listed = list(world.store.where(invoices.KIND, customer=visit.customer["id"]))
    return render_template(
        "portal.html",
        **_shared(world, visit),
        plans=[_plan(world, each) | {"choices": len(portal.offered(world, visit.configuration, each))} for each in running],
        method=_method(world, visit.customer, running),
        invoices=[each for each in reversed(listed) if each["status"] != "draft"],
        owed=[each for each in listed if each["status"] == "open"],
        done=done,
        problem=problem,
    )


def _plan(world: World, subscription: Object) -> dict[str, object]:
    item = subscriptions.items(subscription)[0]
    return {
        "subscription": subscription,
        "name": products.name_of(world, item),
        "price": item["price"],
        "amount": prices.upfront(item["price"], item.get("quantity")),
        "renews_at": item["current_period_end"],
    }


def _method(world: World, customer: Object, running: list[Object]) -> Object | None:
    subscription = running[0] if running else None
    return world.store.find(payment_methods.KIND, payment_methods.default_for(world, subscription, customer["id"]))


def _offered_price(world: World, visit: Visit, subscription: Object, price_id: str | None) -> Object:
    for price in portal.offered(world, visit.configuration, subscription):
        if price["id"] == price_id:
            return price
    raise InvalidRequest("That plan is not on offer.")


def _change_page(world: World, visit: Visit, subscription: Object, price: Object | None, *, at: int, problem: str | None = None) -> str:
    shown: dict[str, object] = {}
    if price is not None:
        change = portal.work_out(world, subscription, price, at=at)
        total = sum(line.amount for line in change.lines)
        balance = visit.customer["balance"]
        shown = {
            "lines": change.lines,
            "total": total,
            "balance": balance,
            "due": invoice_sums.dues(total=total, balance=balance)["amount_due"],
            "period_end": min(end for _, end in change.periods),
        }
    offers = [{"price": each, "name": _product_name(world, each)} for each in portal.offered(world, visit.configuration, subscription)]
    plan = _plan(world, subscription)
    return render_template(
        "portal_change.html", **_shared(world, visit), plan=plan, offers=offers, chosen=price, at=at, problem=problem, shown=shown
    )


def _product_name(world: World, price: Object) -> str:
    return products.name_of(world, {"price": price})


def _card_page(world: World, visit: Visit, form: Form) -> str:
    return render_template("portal_card.html", **_shared(world, visit), form=form, cards=cards.CARDS)


def _back(session_id: str, done: str) -> Response:
    return redirect(url_for("portal.overview", session_id=session_id, done=done), 303)


def _integer(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
