"""Sign-up on the platform's host: the form, the live check of the address, the progress, and the door to the new studio."""

from __future__ import annotations

from uuid import uuid4

from flask import Blueprint, redirect, render_template, request
from flask_babel import get_locale
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from roomtone_billing import Interval
from roomtone_tenancy import Progress
from studio.errors import BadInput
from studio.platform import accounts
from studio.platform.forms import SignUpForm
from studio.platform.models import SignUp
from studio.platform.plans import AI_CREDITS, OWN_ADDRESSES
from studio.platform.signup import Wish, sign_up, sign_up_of, why_not
from studio.platform.slugs import suggest_slug
from studio.platform.throttle import SIGN_UP_BY_ADDRESS, SLUG_CHECK_BY_ADDRESS, count_attempt
from studio.platform.views.signin import remember
from studio.web.access import members_only
from studio.web.page import money
from studio.web.request import actor, control_db, services

pages = Blueprint("signup", __name__, template_folder="../templates")


@pages.route("/signup", methods=["GET", "POST"])
def form() -> Response | str:
    """The sign-up form; a good one leads to the progress page."""
    filled = SignUpForm(attempt=str(uuid4()), plan=request.args.get("plan", "starter"), interval=request.args.get("interval", "month"))
    if filled.validate_on_submit():
        try:
            return redirect(f"/provisioning/{_take(filled)}", 303)
        except BadInput as error:
            filled.add_error(error)
    return render_template("platform/signup.html", form=filled, catalogue=catalogue(), platform_host=services().settings.host)


@pages.get("/signup/slug")
def slug_check() -> str:
    """The hint below the address field: free, taken or not usable, while typing."""
    with control_db() as db:
        count_attempt(db, SLUG_CHECK_BY_ADDRESS, "slug", request.remote_addr or "")
    slug = request.args.get("slug", "").strip().lower() or suggest_slug(request.args.get("studio_name", ""))
    fault = why_not(services(), slug) if slug else None
    return render_template("platform/slug_hint.html", slug=slug, fault=fault, host=services().settings.studio_host(slug))


@pages.get("/provisioning/<public_id>")
@members_only
def progress(public_id: str) -> Response | str:
    """How far the studio is; asked again by the page each second until it is ready, then led on to the studio."""
    row, state = _progress_of(public_id)
    facts = {"sign_up": row, "progress": state, "address": services().settings.studio_host(row.tenant_key), "labels": step_labels()}
    if "HX-Request" not in request.headers:
        return render_template("platform/provisioning.html", **facts)
    if state.is_done:
        return Response(status=204, headers={"HX-Redirect": f"/open/{row.tenant_key}?first=1"})
    return render_template("platform/provisioning_steps.html", **facts)


@pages.get("/open/<tenant_key>")
@members_only
def open_studio(tenant_key: str) -> Response:
    """Carry the sign-in over to a studio of this person's."""
    with control_db() as db:
        token = accounts.hand_over(db, accounts.user_of(db, actor()), tenant_key=tenant_key)
    first = "&next=/onboarding" if request.args.get("first") else ""
    return redirect(f"{services().settings.studio_url(tenant_key)}/enter?token={token}{first}", 303)


@pages.get("/studios")
@members_only
def studios() -> str:
    """The person's studios."""
    tenancy = services().database.tenancy
    with control_db() as db:
        mine = [(tenancy.tenant(key), role) for key, role in accounts.studios_of(db, actor().user_id)]
    return render_template("platform/studios.html", studios=mine, hosts=services().settings.studio_host)


def catalogue() -> list[dict[str, object]]:
    """The plans as the pages show them."""
    return [
        {
            "key": plan.key,
            "name": plan.name,
            "monthly": money(plan.price(Interval.month).amount_minor),
            "yearly": money(plan.price(Interval.year).amount_minor),
            "credits": plan.limits[AI_CREDITS],
            "addresses": plan.limits[OWN_ADDRESSES],
            "trial_days": plan.trial_days,
        }
        for plan in services().billing.catalogue.plans
    ]


def step_labels() -> dict[str, str]:
    """What a provisioning step is called on the page; a step without a name of ours shows its own."""
    return {
        "template": _("Preparing the newest layout"),
        "roles": _("Making keys of its own"),
        "database": _("Creating the database"),
        "security": _("Locking it against everyone else"),
        "schema": _("Checking rooms, calendar and clients"),
        "stamp": _("Marking it as yours"),
        "seed": _("Putting in the first settings"),
        "activation": _("Opening the door"),
    }


def _take(filled: SignUpForm) -> str:
    """Sign up and sign in; returns the sign-up's public id."""
    with control_db() as db:
        count_attempt(db, SIGN_UP_BY_ADDRESS, "sign-up", request.remote_addr or "")
    wish = Wish(
        attempt=str(filled.attempt.data), studio_name=str(filled.studio_name.data).strip(), slug=str(filled.slug.data).strip().lower(),
        person_name=str(filled.person_name.data), email=str(filled.email.data), password=str(filled.password.data),
        plan=str(filled.plan.data), interval=Interval(str(filled.interval.data)), locale=get_locale().language,
    )  # fmt: skip
    with control_db() as db:
        row = sign_up(db, services(), wish)
        token = accounts.start_sign_in(db, row.user, audience=accounts.PLATFORM, days=services().settings.session_days)
        public_id = row.public_id
    remember(token)
    return public_id


def _progress_of(public_id: str) -> tuple[SignUp, Progress]:
    with control_db() as db:
        row = sign_up_of(db, actor().user_id, public_id)
        return row, services().database.tenancy.progress(row.tenant_key)
