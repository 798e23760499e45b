"""Changing the plan: see what it costs, confirm exactly that, take it back; ending it, and keeping it after all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from flask import Blueprint, flash, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from roomtone_billing import CancelReason
from studio.errors import Refused
from studio.platform import plan_change
from studio.platform.plans import GRACE, plan_named
from studio.platform.views.plan import account, owner_only, wake_worker
from studio.web.access import staff_only
from studio.web.page import local_date
from studio.web.request import current_studio, services

pages = Blueprint("change", __name__, template_folder="../templates")
HERE, PLAN = "/app/plan/change", "/app/plan"
COMMENT_LENGTH_MAX = 500


@pages.get(HERE)
@staff_only
def choose() -> Response | str:
    """Choose a plan, and see what changing to it costs before anything is done."""
    owner_only()
    current, access = plan_change.main(account()), current_studio().access
    hindrance = plan_change.why_not(current, access)
    if current is None or hindrance:
        flash(hindrance or "", "error")
        return redirect(PLAN, 303)
    offered = plan_change.choices(services().billing.catalogue, current)
    chosen = next((one for one in offered if f"{one.plan_key}:{one.interval}" == request.args.get("to")), None)
    refused, cost = None, None
    if chosen is not None and not chosen.is_current:
        try:
            cost = plan_change.cost(account(), current, plan_key=chosen.plan_key, interval=chosen.interval)
        except Refused as error:
            refused = str(error)
    return render_template(
        "platform/plan_change.html", current=current, choices=offered, chosen=chosen, cost=cost, refused=refused,
        current_name=plan_named(current.plan_key).name if current.plan_key else _("your plan"),
    )  # fmt: skip


@pages.post(HERE)
@staff_only
def confirm() -> Response:
    """Make the change that was shown, for the price that was shown."""
    owner_only()
    shown = f"{HERE}?to={request.form.get('to', '')}"
    try:
        with plan_change.refusals():
            done = account().confirm(request.form.get("token", ""))
    except Refused as error:
        flash(str(error), "error")
        return redirect(shown, 303)
    wake_worker()
    now = plan_change.main(account())
    name = plan_named(now.plan_key).name if now and now.plan_key else ""
    match done.state:
        case "changed":
            flash(_("You are on %(plan)s now. Its credits arrive in a moment.", plan=name), "success")
        case "scheduled":
            flash(
                _("Noted. Nothing changes before %(day)s, and until then you can take it back.", day=local_date(done.at, "long")), "success"
            )
        case "payment_needed":
            flash(_("The payment did not go through, so nothing has changed: you are still on %(plan)s.", plan=name), "error")
    return redirect(f"{PLAN}?returned=1", 303)


@pages.post(f"{HERE}/removal")
@staff_only
def take_back() -> Response:
    """Leave the plan as it is after all."""
    owner_only()
    return _do(_("The change is taken back. Your plan stays as it is."), lambda: account().undo_change())


@pages.get(f"{PLAN}/cancellation")
@staff_only
def ask_to_end() -> Response | str:
    """What ending the plan means, and why one wants to."""
    owner_only()
    current = plan_change.main(account())
    if current is None or not current_studio().access.is_subscribed or current.cancel_at is not None:
        return redirect(PLAN, 303)
    return render_template("platform/plan_end.html", current=current, grace=GRACE, reasons=reasons())


@pages.post(f"{PLAN}/cancellation")
@staff_only
def end() -> Response:
    """End the plan when what is paid is used up."""
    owner_only()
    reason: CancelReason | None = None
    with suppress(ValueError):  # none was chosen
        reason = CancelReason(request.form.get("reason", ""))
    comment = request.form.get("comment", "").strip()[:COMMENT_LENGTH_MAX] or None
    return _do(_("The plan will end. Everything works until then."), lambda: account().cancel(reason=reason, comment=comment))


@pages.post(f"{PLAN}/resumption")
@staff_only
def keep() -> Response:
    """Keep the plan after all."""
    owner_only()
    return _do(_("The plan goes on. Good to have you."), lambda: account().resume())


def reasons() -> dict[CancelReason, str]:
    """Why people leave, in their words."""
    return {
        CancelReason.too_expensive: _("It costs too much"),
        CancelReason.missing_features: _("Something is missing"),
        CancelReason.switched_service: _("I use something else now"),
        CancelReason.unused: _("I do not use it enough"),
        CancelReason.customer_service: _("The help was no help"),
        CancelReason.too_complex: _("It is too complicated"),
        CancelReason.low_quality: _("It does not work well enough"),
        CancelReason.other: _("Something else"),
    }


def _do(done: str, verb: Callable[[], object]) -> Response:
    """Do it and say so, or say why not, on the plan's page."""
    try:
        with plan_change.refusals():
            verb()
    except Refused as error:
        flash(str(error), "error")
    else:
        wake_worker()
        flash(done, "success")
    return redirect(PLAN, 303)
