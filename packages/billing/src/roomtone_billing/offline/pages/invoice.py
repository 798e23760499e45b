"""The hosted invoice: what it is for, paying it, and its PDF."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from .. import cards
from ..engine import portal
from ..errors import CardDeclined, InvalidRequest
from ..objects import Object
from ..resources import invoices, payment_methods, subscriptions
from ..world import World, moment
from .checkout import Form, read_card
from .host import host
from .pdf import render

pages = Blueprint("invoice", __name__, url_prefix="/invoice/<invoice_id>")
Page = str | Response | tuple[str, int]


@pages.get("")
def show(invoice_id: str) -> Page:
    """Show the invoice, with a card form while it is open."""
    with host().transaction() as world:
        number = request.args.get("card", "")
        return _page(world, invoice_id, Form(values={"number": number, "expiry": "12 / 34", "cvc": "123"} if number else {}))


@pages.post("")
def pay(invoice_id: str) -> Page:
    """Pay an open invoice with the card that was typed; the card is kept and used from now on."""
    with host().lock:
        world = host().world
        invoice = world.store.get(invoices.KIND, invoice_id)
        form = Form(values={name: request.form.get(name, "").strip() for name in ("name", "number", "expiry", "cvc")})
        card, expires = read_card(form, now_year=moment(world.now).year)
        if invoice["status"] != "open" or card is None or form.problems:
            return _page(world, invoice_id, form), 422
        try:
            with host().transaction():
                method = portal.save_card(world, invoice["customer"], card, expires=expires, name=form.values["name"])
                portal.use_card(world, invoice["customer"], method["id"], is_authenticated=False)
        except CardDeclined as error:
            form.problems[""] = error.message
            return _page(world, invoice_id, form), 402
        return _settle(world, invoice, form, is_authenticated=False)


@pages.get("/confirm")
def authenticate(invoice_id: str) -> Page:
    """Stand in for the bank's 3-D Secure page."""
    with host().transaction() as world:
        invoice = world.store.get(invoices.KIND, invoice_id)
        if invoice["status"] != "open":
            return redirect(url_for("invoice.show", invoice_id=invoice_id), 303)
        action = url_for("invoice.answer", invoice_id=invoice_id)
        amount, currency = invoice["amount_remaining"], invoice["currency"]
        return render_template("secure.html", action=action, amount=amount, currency=currency, business=world.settings.business)


@pages.post("/confirm")
def answer(invoice_id: str) -> Page:
    """Pay with the card on file if the cardholder passed."""
    with host().lock:
        world = host().world
        invoice = world.store.get(invoices.KIND, invoice_id)
        form = Form(values={})
        if request.form.get("answer") != "pass":
            form.problems[""] = cards.AUTHENTICATION.message
            return _page(world, invoice_id, form), 402
        if invoice["status"] != "open":
            return redirect(url_for("invoice.show", invoice_id=invoice_id), 303)
        return _settle(world, invoice, form, is_authenticated=True)


@pages.get("/pdf")
def pdf(invoice_id: str) -> Response:
    """Return the invoice as a PDF."""
    with host().transaction() as world:
        invoice = world.store.get(invoices.KIND, invoice_id)
        name = f"{invoice['number'] or invoice_id}.pdf"
        body = render(invoice, business=world.settings.business)
        return Response(body, mimetype="application/pdf", headers={"Content-Disposition": f'inline; filename="{name}"'})


def _settle(world: World, invoice: Object, form: Form, *, is_authenticated: bool) -> Page:
    invoice_id = invoice["id"]
    with host().transaction():
        try:
            portal.pay(world, invoice_id, is_authenticated=is_authenticated)
        except (CardDeclined, InvalidRequest) as error:
            if error.code == cards.AUTHENTICATION.code and not is_authenticated:
                return redirect(url_for("invoice.authenticate", invoice_id=invoice_id), 303)
            form.problems[""] = error.message
            return _page(world, invoice_id, form), 402
    return redirect(url_for("invoice.show", invoice_id=invoice_id), 303)


def _page(world: World, invoice_id: str, form: Form) -> str:
    invoice = world.store.get(invoices.KIND, invoice_id)
    subscription = world.store.find(subscriptions.KIND, invoices.subscription_id(invoice))
    method_id = payment_methods.default_for(world, subscription, invoice["customer"])
    return render_template(
        "invoice.html",
        invoice=invoice,
        form=form,
        cards=cards.CARDS,
        method=world.store.find(payment_methods.KIND, method_id),
        needs_confirmation=bool(method_id) and payment_methods.needs_authentication(world, method_id or ""),
        business=world.settings.business,
    )
