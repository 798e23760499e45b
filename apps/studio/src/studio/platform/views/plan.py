"""A studio's own door and plan: entering from the platform, subscribing, changing, paying, and what is left of the credits."""

from __future__ import annotations

import json

from flask import Blueprint, flash, g, make_response, redirect, render_template, request
from flask_babel import get_locale
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from roomtone_billing import Account, Interval
from studio.errors import BadInput, NotAllowed, Refused
from studio.platform import accounts, plan_change, queue
from studio.platform.plans import AI_CREDITS
from studio.platform.views.signin import remember, safe_next
from studio.platform.views.signup import catalogue
from studio.web.access import staff_only
from studio.web.page import credit_amount, money
from studio.web.request import actor, control_db, current_studio, services

pages = Blueprint("plan", __name__, template_folder="../templates")
ENTRIES_SHOWN = 12


@pages.get("/enter")
def enter() -> Response:
    """Redeem the token that the platform gave, once, and go on to the app.

    Who is signed in here already stays so: a new cookie session would make the forms of pages that are open worthless.
    """
    audience, known = accounts.studio_audience(str(g.tenant_key)), g.get("actor")
    with control_db() as db:
        user = accounts.redeem_handover(db, request.args.get("token", ""), tenant_key=str(g.tenant_key))
        if user is None:
            return redirect("/sign-in", 303)
        if known is None or known.user_id != user.public_id:
            remember(accounts.start_sign_in(db, user, audience=audience, days=services().settings.session_days))
    return redirect(safe_next(request.args.get("next"), "/app"), 303)


@pages.get("/app/plan")
@staff_only
def plan() -> str:
    """What the studio pays, what it gets, and what comes next."""
    key, invoices = current_studio().key, account().invoices()
    return render_template(
        "platform/plan.html",
        catalogue=catalogue(),
        current=plan_change.main(account()),
        packs=_packs(),
        invoices=invoices,
        owed=[invoice for invoice in invoices if invoice.status == "open"],
        balance=services().credits.balance(key),
        entries=services().credits.entries(key, limit=ENTRIES_SHOWN),
        credit_words=credit_words(),
        is_owner=actor().role == "owner",
    )


@pages.post("/app/plan/checkout")
@staff_only
def checkout() -> Response:
    """Go to the payment page of a plan."""
    owner_only()
    try:
        interval = Interval(request.form.get("interval", ""))
    except ValueError as error:
        raise BadInput("interval", _("Choose monthly or yearly.")) from error
    chosen = request.form.get("plan", "")
    if chosen not in {plan.key for plan in services().billing.catalogue.plans}:
        raise BadInput("plan", _("Choose one of the plans."))
    home = plan_url()
    with plan_change.refusals():
        url = account().checkout(
            plan=chosen, interval=interval, success_url=f"{home}/return", cancel_url=home, locale=get_locale().language
        )
    return redirect(url, 303)


@pages.post("/app/plan/pack")
@staff_only
def buy() -> Response:
    """Go to the payment page of a pack of credits."""
    owner_only()
    chosen = request.form.get("pack", "")
    if chosen not in {pack.key for pack in services().billing.catalogue.packs}:
        raise BadInput("pack", _("Choose one of the packs."))
    home = plan_url()
    with plan_change.refusals():
        url = account().buy(chosen, success_url=f"{home}/return", cancel_url=home, locale=get_locale().language)
    return redirect(url, 303)


@pages.post("/app/plan/portal")
@staff_only
def portal() -> Response:
    """Go to the page where the card and the address on invoices are kept."""
    owner_only()
    with plan_change.refusals():
        url = account().portal(return_url=f"{plan_url()}/return", locale=get_locale().language)
    return redirect(url, 303)


@pages.post("/app/plan/collection")
@staff_only
def collect() -> Response:
    """Try the card again for what is open."""
    owner_only()
    with plan_change.refusals():
        account().retry_payments()
    wake_worker()
    if any(invoice.status == "open" for invoice in account().invoices()):
        flash(_("The card was refused again. Pay with another one, or change the card first."), "error")
    else:
        flash(_("Paid. Thank you!"), "success")
    return redirect("/app/plan?returned=1", 303)


@pages.get("/app/plan/return")
@staff_only
def returned() -> Response:
    """Back from paying: fetch what is true now instead of waiting for the webhook, and let the worker do what follows."""
    try:
        with plan_change.refusals():
            account().sync()
    except Refused:
        flash(_("The payment service does not answer yet. This page will show what you did in a moment."), "info")
    wake_worker()
    return redirect("/app/plan?returned=1", 303)


@pages.get("/app/plan/status")
@staff_only
def status() -> Response:
    """The plan's state as a fragment, asked for again by the page after a payment; the credits badge follows it."""
    balance = services().credits.balance(current_studio().key)
    response = make_response(render_template("platform/plan_status.html", balance=balance))
    response.headers["HX-Trigger"] = json.dumps({"credits:changed": {"text": credit_amount(max(balance.available, 0))}})
    return response


def credit_words() -> dict[str, str]:
    """What the kinds of ledger entries are called; a kind without a word of ours shows its own name."""
    return {
        "grant": _("Credits granted"),
        "charge": _("Assistant"),
        "expiry": _("Expired"),
        "adjustment": _("Adjusted by our staff"),
        "reversal": _("Given back"),
        "repayment": _("Debt paid"),
        "clawback": _("Taken back"),
        "transfer": _("Moved between studios"),
        "write_off": _("Given up by us"),
        "allowance": _("Monthly allowance changed"),
        "rule": _("Limit changed"),
    }


def _packs() -> list[dict[str, object]]:
    """The packs as the page shows them."""
    return [
        {"key": pack.key, "credits": pack.grants[AI_CREDITS], "price": money(pack.amount_minor, pack.currency)}
        for pack in services().billing.catalogue.packs
    ]


def account() -> Account:
    """The billing of the studio whose host was called."""
    return services().billing.account(current_studio().key)


def plan_url() -> str:
    """The absolute address of the plan page."""
    return services().settings.studio_url(current_studio().key) + "/app/plan"


def wake_worker() -> None:
    """Let the worker do what follows from a change, credits above all, without waiting for its minute."""
    with control_db() as db:
        queue.enqueue(db, services().jobs, "bill")


def owner_only() -> None:
    """Keep out everyone but the studio's owner.

    Raises:
        NotAllowed: it is somebody else.
    """
    if actor().role != "owner":
        raise NotAllowed
