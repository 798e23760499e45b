"""The bank's 3-D Secure page for intents that the API confirmed."""

from __future__ import annotations

from flask import Blueprint, render_template, request, url_for

from ..engine import intents
from ..errors import CardDeclined
from ..resources import payment_intents, setup_intents
from .host import host

pages = Blueprint("secure", __name__, url_prefix="/3ds/<intent_id>")


@pages.get("")
def show(intent_id: str) -> str:
    """Ask the cardholder."""
    with host().lock:
        store = host().world.store
        intent = store.find(payment_intents.KIND, intent_id) or store.get(setup_intents.KIND, intent_id)
        action = url_for("secure.answer", intent_id=intent_id)
        asked = {"amount": intent.get("amount"), "currency": intent.get("currency")}
        return render_template("secure.html", action=action, business=host().world.settings.business, **asked)


@pages.post("")
def answer(intent_id: str) -> tuple[str, int]:
    """Pass or fail the cardholder, and let the intent go on."""
    passed = request.form.get("answer") == "pass"
    authenticate = intents.authenticate_setup if intent_id.startswith("seti_") else intents.authenticate_payment
    with host().transaction() as world:
        try:
            intent = authenticate(world, intent_id, passed=passed)
            text, status = f"The bank is content; the intent's status is {intent['status']}. You can close this page.", 200
        except CardDeclined as error:
            text, status = error.message, 402
    return render_template("message.html", title="3-D Secure", text=text), status
