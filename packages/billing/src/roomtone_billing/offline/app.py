"""The WSGI application: the API, the pages, the console and the control endpoints, for loopback callers only."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Flask, Response, g, render_template, request

from .api import Request
from .courier import is_loopback
from .errors import OfflineOnly, StripeError
from .money import format_amount
from .pages import checkout, connect, console, control, invoice, portal, secure
from .pages.host import EXTENSION, host, leads_to
from .world import moment

if TYPE_CHECKING:
    from .offline_stripe import OfflineStripe

POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
# Which kinds of object an address may name, by the name of its part.
OWNED = {
    "session_id": ("checkout.session", "billing_portal.session"),
    "invoice_id": ("invoice",),
    "intent_id": ("payment_intent", "setup_intent"),
}
BODY_MAX = 256 * 1024


def build_app(offline: OfflineStripe) -> Flask:
    """Return the application around one offline Stripe."""
    app = Flask(
        "roomtone_billing.offline", template_folder="pages/templates", static_folder="pages/static", static_url_path="/offline-assets"
    )
    app.config["MAX_CONTENT_LENGTH"] = BODY_MAX
    app.extensions[EXTENSION] = offline
    app.add_template_filter(format_amount, "money")
    app.add_template_filter(_date, "date")
    app.add_template_filter(_time, "time")
    app.before_request(_refuse_strangers)
    app.before_request(_see_as_owner)
    app.teardown_request(_see_as_platform)
    app.after_request(_harden)
    app.register_error_handler(StripeError, _refused)
    app.register_error_handler(404, _not_found)
    app.add_url_rule("/v1/<path:rest>", "api", _api, methods=["GET", "POST", "DELETE"])
    for module in (checkout, connect, portal, invoice, secure, console, control):
        app.register_blueprint(module.pages)
    return app


def _api(rest: str) -> Response:
    answer = host().respond(
        Request(
            method=request.method.lower(),
            path=f"/v1/{rest}",
            query=request.query_string.decode("ascii", "replace"),
            body=request.get_data(),
            headers={name.lower(): value for name, value in request.headers.items()},
        )
    )
    return Response(answer.body, status=answer.status, headers=dict(answer.headers))


def _refuse_strangers() -> None:
    # Without a peer address the call comes from this process (a server always names one).
    # A page elsewhere must not reach this by a name that was made to point here, so the host's name counts as well as the address.
    if not is_loopback(request.remote_addr or "localhost") or not is_loopback(urlsplit(f"//{request.host}").hostname or ""):
        raise OfflineOnly("The offline Stripe answers this machine only. Open it as http://127.0.0.1 or http://localhost.")
    if request.method == "POST" and request.endpoint != "api" and request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise OfflineOnly("This form was sent by another site's page, so nothing was done.")


def _see_as_owner() -> None:
    """A page about a connected account's object sees that account: its address names the object alone."""
    for name, kinds in OWNED.items():
        object_id = (request.view_args or {}).get(name)
        if object_id is not None and request.blueprint != "console":
            offline = host()
            # Held to the request's end, since whose objects are seen is for everybody.
            offline.lock.acquire()
            g.offline_held = offline
            store = offline.world.store
            store.account = next((account for kind in kinds if (account := store.account_of(kind, object_id))), None)


def _see_as_platform(_error: BaseException | None) -> None:
    offline = g.pop("offline_held", None)
    if offline is not None:
        offline.world.store.account = None
        offline.lock.release()


def _harden(response: Response) -> Response:
    # Browsers hold the redirect after a form, too, against form-action; so the address the form leads to is allowed by name.
    policy = f"{POLICY} {leads_to()}".rstrip()
    response.headers["Content-Security-Policy"] = policy
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-store" if request.endpoint != "static" else "max-age=300"
    return response


def _refused(error: StripeError) -> tuple[str, int]:
    return render_template("message.html", title="That did not work", text=error.message), error.status


def _not_found(_error: Exception) -> tuple[str, int]:
    return render_template(
        "message.html", title="Nothing here", text="The address leads nowhere on the offline Stripe. The console is at /offline."
    ), 404


def _date(seconds: int | None) -> str:
    return moment(seconds).strftime("%-d %b %Y") if seconds else "–"


def _time(seconds: int | None) -> str:
    return moment(seconds).strftime("%-d %b %Y, %H:%M:%S UTC") if seconds else "–"
