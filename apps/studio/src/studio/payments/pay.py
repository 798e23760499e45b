"""What a client sees behind the link: who asks for how much and why, the way to pay it, and that it is paid."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import get_locale
from werkzeug.wrappers import Response

from roomtone_billing import ClientOffer
from studio.errors import NotFound, Refused
from studio.payments import service, words
from studio.payments.service import State
from studio.payments.views import connect
from studio.platform.throttle import PAY_BY_ADDRESS, count_attempt
from studio.web.request import control_db, current_studio, studio_db

pages = Blueprint("pay", __name__, template_folder="templates", url_prefix="/pay/<public_id>")


@pages.get("")
def page(public_id: str) -> str:
    """The request, behind its unguessable address."""
    return render_template("payments/pay.html", request_=_find(public_id), can_pay=connect().status().can_charge)


@pages.post("")
def pay(public_id: str) -> Response:
    """Go to the page where the card is typed in; however often it is pressed, it is paid once."""
    with control_db() as control:
        count_attempt(control, PAY_BY_ADDRESS, "pay", current_studio().key, request.remote_addr or "")
    found, here = _find(public_id), url_for("pay.page", public_id=public_id, _external=True)
    if found.state is not State.asked:
        return redirect(here, 303)
    offer = ClientOffer(
        description=found.description,
        success_url=f"{here}/return",
        cancel_url=here,
        email=found.client_email,
        locale=get_locale().language,
    )
    try:
        with words.refusals():
            url = connect().checkout(
                found.name_at_billing, amount_minor=found.amount_minor, currency=found.currency, fee_minor=found.fee_minor, offer=offer
            )
    except Refused as error:
        flash(str(error), "error")
        return redirect(here, 303)
    return redirect(url, 303)


@pages.get("/return")
def returned(public_id: str) -> Response:
    """Back from paying: fetch what is true now instead of waiting for the news."""
    found = _find(public_id)
    if found.payment is not None:
        try:
            with words.refusals():
                connect().sync(found.name_at_billing)
        except (Refused, NotFound) as error:
            flash(str(error), "info")
    return redirect(url_for("pay.page", public_id=public_id), 303)


def _find(public_id: str) -> service.Request:
    """The request with its payment.

    Raises:
        NotFound: this studio asked for nothing under that id.
    """
    with studio_db() as db:
        return service.find(db, public_id, connect())
