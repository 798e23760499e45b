"""The Checkout page: what is bought, for how much, and a card form that needs no script."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from .. import cards
from ..engine import checkout
from ..errors import CardDeclined, InvalidRequest
from ..objects import Object
from ..resources import checkout_lines, checkout_sessions, customers, prices
from ..world import World, moment
from .host import allow_leaving_to, host

pages = Blueprint("checkout", __name__)
EMAIL = re.compile(r"\A[^@\s]+@[^@\s]+\.[^@\s]+\Z")
EXPIRY = re.compile(r"\A(\d{1,2})\s*/?\s*(\d{2}|\d{4})\Z")
Page = str | Response | tuple[str, int]
Result = TypeVar("Result")


@dataclass(kw_only=True)
class Form:
    """What was typed, and what is wrong with it by field name (`""`: with the payment as a whole)."""

    values: dict[str, str]
    problems: dict[str, str] = field(default_factory=dict)


@pages.get("/c/pay/<session_id>")
def show(session_id: str) -> Page:
    """Show the open page, or what became of the session."""
    with host().transaction() as world:
        session = world.store.get(checkout_sessions.KIND, session_id)
        if session["status"] != "open":
            return _closed(world, session)
        number = request.args.get("card", "")
        typed = {"number": number, "expiry": "12 / 34", "cvc": "123"} if number else {}
        return _page(world, session, Form(values=typed))


@pages.post("/c/pay/<session_id>")
def submit(session_id: str) -> Page:
    """Pay: on to the success address, to 3-D Secure, or back to the form with a sentence that says why not."""
    with host().lock:
        world = host().world
        session = world.store.get(checkout_sessions.KIND, session_id)
        if session["status"] != "open":
            return _closed(world, session)
        form = Form(values={name: request.form.get(name, "").strip() for name in ("email", "name", "number", "expiry", "cvc")})
        payer = read_payer(world, session, form)
        if payer is None:
            return _page(world, session, form), 422
        try:
            completed = _attempt(lambda world: checkout.submit(world, session_id, payer))
        except CardDeclined as error:
            form.problems["number" if error.param == "number" else ""] = error.message
            return _page(world, session, form), 402
        except InvalidRequest as error:
            form.problems["code" if session["discounts"] else ""] = error.message
            return _page(world, session, form), 422
        return _onward(completed) if completed else redirect(url_for("checkout.authenticate", session_id=session_id), 303)


@pages.post("/c/pay/<session_id>/code")
def use_code(session_id: str) -> Page:
    """Take off what a promotion code stands for; an empty one takes nothing off."""
    text = request.form.get("code", "").strip()
    with host().lock:
        world = host().world
        session = world.store.get(checkout_sessions.KIND, session_id)
        if session["status"] != "open":
            return _closed(world, session)
        try:
            with host().transaction():
                checkout.use_code(world, session_id, text)
        except InvalidRequest as error:
            return _page(world, session, Form(values={"code": text}, problems={"code": error.message})), 422
        return redirect(url_for("checkout.show", session_id=session_id), 303)


@pages.get("/c/pay/<session_id>/confirm")
def authenticate(session_id: str) -> Page:
    """Stand in for the bank's 3-D Secure page."""
    with host().transaction() as world:
        session = world.store.get(checkout_sessions.KIND, session_id)
        if session["status"] != "open":
            return _closed(world, session)
        allow_leaving_to(session["success_url"])
        return render_template(
            "secure.html",
            action=url_for("checkout.answer", session_id=session_id),
            amount=session["amount_total"],
            currency=session["currency"],
            business=world.settings.business,
        )


@pages.post("/c/pay/<session_id>/confirm")
def answer(session_id: str) -> Page:
    """Go on with what the cardholder told the bank."""
    with host().lock:
        world = host().world
        session = world.store.get(checkout_sessions.KIND, session_id)
        if session["status"] != "open":
            return _closed(world, session)
        try:
            passed = request.form.get("answer") == "pass"
            completed = _attempt(lambda world: checkout.confirm(world, session_id, passed=passed))
        except CardDeclined as error:
            message = (
                "Your bank could not confirm that it was you. Try again or use another card."
                if error.code == cards.AUTHENTICATION.code
                else error.message
            )
            return _page(world, session, Form(values={}, problems={"": message})), 402
        return _onward(completed)


def _attempt(attempt: Callable[[World], Result]) -> Result:
    """Do it whole or not at all; a refusal that is recorded is raised after what it left was kept."""
    with host().transaction() as world:
        try:
            return attempt(world)
        except CardDeclined as error:
            if not error.is_recorded:
                raise
            declined = error
    raise declined


def read_payer(world: World, session: Object, form: Form) -> checkout.Payer | None:
    """Return what was typed, or None with the problems noted in the form."""
    email = form.values.get("email", "") or _known_email(world, session)
    if not EMAIL.match(email):
        form.problems["email"] = "Enter an e-mail address such as name@example.com."
    if not asks_for_card(session):
        return None if form.problems else checkout.Payer(email=email, name=form.values["name"], card=None)
    card, expires = read_card(form, now_year=moment(world.now).year, types=session["payment_method_types"])
    if form.problems or card is None:
        return None
    return checkout.Payer(email=email, name=form.values["name"], card=card, expires=expires)


def read_card(form: Form, *, now_year: int, types: Sequence[str] = ("card",)) -> tuple[cards.Card | None, tuple[int, int] | None]:
    """Return the card (or bank account) and its expiry, with whatever is wrong noted in the form."""
    card, expires = None, None
    try:
        card = cards.by_number(form.values["number"])
    except CardDeclined as error:
        form.problems["number"] = f"{error.message} Use one of the test numbers below."
    if card is not None and (card.brand if card.brand == "sepa_debit" else "card") not in types:
        form.problems["number"] = "This way to pay is not offered here. Use one of the test numbers below."
    if card is not None and card.brand == "sepa_debit":
        return card, None
    match = EXPIRY.match(form.values["expiry"])
    if match:
        month, year = int(match[1]), int(match[2]) % 100 + 2000
        expires = (month, year) if 1 <= month <= 12 and now_year <= year <= now_year + 50 else None
    if expires is None:
        form.problems["expiry"] = "Enter a month and year in the future, such as 12 / 34."
    if not re.fullmatch(r"\d{3,4}", form.values["cvc"]):
        form.problems["cvc"] = "Enter the three or four digits."
    return card, expires


def asks_for_card(session: Object) -> bool:
    """Does this session need a card at all?"""
    return bool(session["payment_method_collection"] != "if_required" or session["amount_total"])


def _page(world: World, session: Object, form: Form) -> str:
    allow_leaving_to(session["success_url"])
    plan = checkout_sessions.plan(world, session["id"])
    trial_end = plan["trial_end"] or (world.now + plan["trial_days"] * 86400 if plan["trial_days"] else None)
    return render_template(
        "checkout.html",
        session=session,
        items=checkout_sessions.line_items(world, session["id"]),
        first=next((line["price"] for line in plan["lines"] if line["price"]["recurring"]), None),
        trial_end=trial_end,
        later=checkout_lines.renewed(world, plan),
        costs=[checkout_lines.due(line) for line in plan["lines"]],
        is_metered=any(prices.is_metered(line["price"]) for line in plan["lines"]),
        known_email=_known_email(world, session),
        form=form,
        cards=[each for each in (*cards.CARDS, *cards.ACCOUNTS) if _is_offered(each, session)],
        asks_for_card=asks_for_card(session),
        business=world.settings.business,
    )


def _is_offered(card: cards.Card, session: Object) -> bool:
    return ("sepa_debit" if card.brand == "sepa_debit" else "card") in session["payment_method_types"]


def _closed(world: World, session: Object) -> Page:
    done = session["status"] == "complete"
    return render_template(
        "checkout_closed.html", session=session, done=done, onward=success_url(session), business=world.settings.business
    )


def _onward(session: Object) -> Response:
    return redirect(success_url(session) or url_for("checkout.show", session_id=session["id"]), 303)


def success_url(session: Object) -> str | None:
    """Return where a paid customer goes, with the session's id filled in."""
    url = session["success_url"]
    return url.replace("{CHECKOUT_SESSION_ID}", session["id"]) if url else None


def _known_email(world: World, session: Object) -> str:
    customer = world.store.find(customers.KIND, session["customer"])
    return (customer.get("email") if customer else None) or session["customer_email"] or ""
