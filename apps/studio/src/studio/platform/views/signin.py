"""Signing in and out on any host, the language switch, and the person behind each request."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, Flask, current_app, g, redirect, render_template, request, session
from werkzeug.wrappers import Response

from studio.errors import BadInput
from studio.platform import accounts
from studio.platform.forms import SignInForm
from studio.platform.throttle import SIGN_IN_BY_ACCOUNT, SIGN_IN_BY_ADDRESS, count_attempt
from studio.web.i18n import LANGUAGES
from studio.web.request import control_db, services

TOKEN = "sign_in"  # noqa: S105  # the name under which the cookie session keeps the token


def install(app: Flask, *, home: str, plane: str) -> None:
    """Give an app its sign-in pages and load the person before each of its requests.

    Args:
        home: where a sign-in leads when no page was asked for.
        plane: `platform` or `backoffice`, or `studio`, whose audience is the studio in scope.
    """
    app.config["STUDIO_HOME"], app.config["STUDIO_PLANE"] = home, plane
    app.before_request(load_actor)
    app.register_blueprint(_blueprint())


def remember(token: str) -> None:
    """Put a sign-in's token into a new cookie session, so that no earlier session lives on in it."""
    locale = session.get("locale")
    session.clear()
    session[TOKEN] = token
    session.permanent = True
    if locale:
        session["locale"] = locale


def audience(app: Flask) -> str:
    """Who a sign-in on this host is for."""
    plane = str(app.config["STUDIO_PLANE"])
    return accounts.studio_audience(str(g.tenant_key)) if plane == "studio" else plane


def safe_next(target: str | None, home: str) -> str:
    """A path of this host, or home: anything that names a host, a scheme or a backslash is refused."""
    if not target or not target.startswith("/") or target.startswith("//") or "\\" in target or any(ord(c) < 32 for c in target):
        return home
    parts = urlsplit(target)
    return home if parts.scheme or parts.netloc else target


def load_actor() -> None:
    """Know the person behind the request by its cookie."""
    token = session.get(TOKEN)
    if token is None or request.endpoint == "static":
        return
    with control_db() as db:
        g.actor = accounts.signed_in(db, str(token), audience=audience(current_app))


def _blueprint() -> Blueprint:
    pages = Blueprint("signin", __name__, template_folder="../templates")

    @pages.route("/sign-in", methods=["GET", "POST"])
    def sign_in() -> Response | str:
        form, home = SignInForm(), str(current_app.config["STUDIO_HOME"])
        target = safe_next(request.args.get("next"), home)
        if g.get("actor") is not None:
            return redirect(target)
        if form.validate_on_submit():
            try:
                remember(_sign_in(str(form.email.data), str(form.password.data), audience(current_app)))
                return redirect(target, 303)
            except BadInput as error:
                form.add_error(error)
        return render_template("platform/sign_in.html", form=form, plane=current_app.config["STUDIO_PLANE"])

    @pages.post("/sign-out")
    def sign_out() -> Response:
        with control_db() as db:
            accounts.end_sign_in(db, str(session.get(TOKEN, "")))
        session.clear()
        return redirect("/", 303)

    @pages.post("/language")
    def language() -> Response:
        if request.form.get("language") in LANGUAGES:
            session["locale"] = request.form["language"]
        came_from = urlsplit(request.referrer or "")
        back = came_from._replace(scheme="", netloc="").geturl() if came_from.netloc == request.host else "/"
        return redirect(safe_next(back, "/"), 303)

    return pages


def _sign_in(email: str, password: str, where: str) -> str:
    """Check the limits, then the password; the count stands even when the password is wrong."""
    with control_db() as db:
        count_attempt(db, SIGN_IN_BY_ADDRESS, "sign-in", request.remote_addr or "")
        count_attempt(db, SIGN_IN_BY_ACCOUNT, "sign-in", accounts.normal_email(email))
    with control_db() as db:
        user = accounts.authenticate(db, email=email, password=password, audience=where)
        return accounts.start_sign_in(db, user, audience=where, days=services().settings.session_days)
