"""The demo's own pages on the platform's host: the mailbox that stands for everyone's, and the time machine."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

from flask import Blueprint, flash, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from studio.demo.people import PASSWORD, PEOPLE, STAFF_EMAIL
from studio.errors import BadInput
from studio.platform import clock, queue
from studio.platform import mail as outbox
from studio.web.request import control_db, services

pages = Blueprint("demo", __name__, template_folder="templates", url_prefix="/demo")
MAILS_SHOWN = 50
DAY_S = 86_400
JUMPS_DAYS = (1, 7, 14, 31)
STRIPE_TIMEOUT_S = 60.0


@pages.get("")
def index() -> str:
    """Sign-ins, the latest mail, and the time machine."""
    with control_db() as db:
        mails = outbox.latest(db, MAILS_SHOWN)
    settings = services().settings
    return render_template(
        "demo/index.html",
        mails=mails,
        people=PEOPLE,
        password=PASSWORD,
        staff_email=STAFF_EMAIL,
        settings=settings,
        jumps=JUMPS_DAYS,
        clock=services().clock(),
    )


@pages.get("/mail/<public_id>")
def mail(public_id: str) -> str:
    """One e-mail as its reader sees it."""
    with control_db() as db:
        found = outbox.find(db, public_id)
    return render_template("demo/mail.html", mail=found)


@pages.get("/mail/<public_id>/body")
def mail_body(public_id: str) -> Response:
    """The e-mail's HTML alone, for the frame that shows it; nothing in it can run or call out, and its links open outside of the frame."""
    with control_db() as db:
        found = outbox.find(db, public_id)
    answer = Response(found.html.replace("<head>", '<head><base target="_blank">', 1), mimetype="text/html")
    answer.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
    answer.headers["X-Frame-Options"] = "SAMEORIGIN"
    return answer


@pages.post("/time")
def travel() -> Response:
    """Move the time of Stripe, billing and credits on together, and let the worker apply what falls due."""
    days = request.form.get("days", "")
    if days not in {str(jump) for jump in JUMPS_DAYS}:
        raise BadInput("days", _("Choose one of the jumps."))
    _move_stripe(int(days) * DAY_S)
    with control_db() as db:
        clock.move(db, int(days) * DAY_S)
        queue.enqueue(db, services().jobs, "bill")
    flash(_("It is %(days)s days later for plans and credits.", days=days), "success")
    return redirect("/demo", 303)


def _move_stripe(seconds: int) -> None:
    """Advance the offline Stripe's clock; it renews, retries and ends what falls due on the way."""
    address = urlsplit(services().settings.stripe_url or "")
    connection = http.client.HTTPConnection("127.0.0.1", address.port or 80, timeout=STRIPE_TIMEOUT_S)
    try:
        connection.request(
            "POST", "/offline/advance", json.dumps({"seconds": seconds}), {"Content-Type": "application/json", "Host": address.netloc}
        )
        answer = connection.getresponse()
        if answer.status >= 400:
            raise BadInput("days", _("The offline Stripe refused to move on: %(answer)s", answer=answer.read(300).decode(errors="replace")))
    except OSError as error:
        raise BadInput("days", _("The offline Stripe does not answer. Is it running?")) from error
    finally:
        connection.close()
