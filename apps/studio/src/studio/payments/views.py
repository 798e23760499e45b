"""The staff's pages of card payments: set up, ask, see, give back."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from roomtone_billing import Connect
from studio.contexts.scheduling import queries as scheduling
from studio.contexts.settings import queries as settings_queries
from studio.db import new_public_id
from studio.errors import NotAllowed, Refused
from studio.payments import service, words
from studio.payments.fee import BASIS_POINTS, fee_minor
from studio.payments.forms import AskForm, RefundForm, SetUpForm
from studio.platform import mail, queue
from studio.web.access import staff_only
from studio.web.page import local_date, money
from studio.web.request import actor, control_db, current_studio, services, studio_db

pages = Blueprint("payments", __name__, template_folder="templates")
HERE, SETUP = "/app/payments", "/app/payments/setup"
REFUNDERS = frozenset({"owner", "manager", "accountant"})


@pages.get(HERE)
@staff_only
def index() -> str:
    """What clients were asked for, and what they paid."""
    with studio_db() as db:
        found = service.newest(db, connect())
    return render_template("payments/index.html", requests=found, status=connect().status(), states=words.states())


@pages.get(SETUP)
@staff_only
def setup() -> str:
    """How far the studio is with taking cards, and what is missing."""
    status = connect().status()
    with studio_db() as db:
        currency = settings_queries.load(db).currency
    form = SetUpForm(country="FR" if get_locale().language == "fr" else "GB")
    form.offer_countries()
    return render_template(
        "payments/setup.html",
        status=status,
        missing=words.missing((*status.seller.past_due, *status.seller.due)),
        checking=words.missing(status.seller.checking),
        form=form,
        is_owner=actor().role == "owner",
        basis_points=BASIS_POINTS,
        example=fee_minor(10_000),
        currency=currency,
    )


@pages.post(SETUP)
@staff_only
def begin() -> Response:
    """Begin, or go on, on the page that asks for what is missing."""
    _only(frozenset({"owner"}))
    form = SetUpForm()
    form.offer_countries()
    if not form.validate():
        flash(_("Choose your country."), "error")
        return redirect(SETUP, 303)
    home = services().settings.studio_url(current_studio().key)
    try:
        with words.refusals():
            page = connect().onboard(return_url=f"{home}{SETUP}/return", refresh_url=f"{home}{SETUP}", country=str(form.country.data))
    except Refused as error:
        flash(str(error), "error")
        return redirect(SETUP, 303)
    return redirect(page, 303)


@pages.get(f"{SETUP}/return")
@staff_only
def returned() -> Response:
    """Back from that page, finished or not: fetch what is true now."""
    try:
        with words.refusals():
            connect().sync()
    except Refused:
        flash(_("The payment service does not answer yet. This page will show what you did in a moment."), "info")
    return redirect(SETUP, 303)


@pages.route(f"{HERE}/new", methods=["GET", "POST"])
@staff_only
def ask() -> Response | str:
    """Ask a client for money."""
    with studio_db() as db:
        settings = settings_queries.load(db)
        form = AskForm(**_of_booking(db)) if request.method == "GET" else AskForm()
        form.amount.use(settings.currency)
        if request.method == "POST" and form.validate():
            public_id = service.ask(db, _wish(form, settings.currency))
        else:
            return render_template("payments/ask.html", form=form, currency=settings.currency, status=connect().status())
    return redirect(url_for("payments.show", public_id=public_id), 303)


@pages.get(f"{HERE}/<public_id>")
@staff_only
def show(public_id: str) -> str:
    """One request: its link, its state, and what can be done."""
    with studio_db() as db:
        found = _find(db, public_id)
    form = RefundForm(formdata=None, key=str(uuid4()), amount=found.left_minor)
    form.amount.use(found.currency)
    return render_template(
        "payments/show.html", request_=found, states=words.states(), form=form, link=_link(public_id), may_refund=actor().role in REFUNDERS
    )


@pages.post(f"{HERE}/<public_id>/mail")
@staff_only
def send(public_id: str) -> Response:
    """Send the link to the client."""

    def work() -> None:
        with studio_db() as db:
            found = _find(db, public_id)
            if found.client_email is None:
                raise Refused(_("There is no e-mail address. Copy the link instead."))
            service.mark_sent(db, public_id, services().clock())
        _mail(found)

    return _do(public_id, _("The link is on its way."), work)


@pages.post(f"{HERE}/<public_id>/withdrawal")
@staff_only
def withdraw(public_id: str) -> Response:
    """Ask for it no longer."""

    def work() -> None:
        with studio_db() as db:
            service.withdraw(db, public_id, connect(), services().clock())

    return _do(public_id, _("You ask for this no longer."), work)


@pages.post(f"{HERE}/<public_id>/refund")
@staff_only
def refund(public_id: str) -> Response:
    """Give money back."""
    _only(REFUNDERS)
    with studio_db() as db:
        found = _find(db, public_id)
    form = RefundForm()
    form.amount.use(found.currency)

    def work() -> None:
        if not form.validate() or not 0 < (form.amount.data or 0) <= found.left_minor:
            left = money(found.left_minor, found.currency)
            raise Refused(_("Enter an amount of at most %(left)s.", left=left))
        with words.refusals():
            connect().refund(found.name_at_billing, form.amount.data, key=str(form.key.data))

    return _do(public_id, _("The money is on its way back."), work)


def connect() -> Connect:
    """The studio's taking of cards."""
    return services().billing.account(current_studio().key).connect


def _find(db: Session, public_id: str) -> service.Request:
    return service.find(db, public_id, connect())


def _of_booking(db: Session) -> dict[str, object]:
    """What a form is filled with: the booking's own, if one is named."""
    filled: dict[str, object] = {"key": str(uuid4())}
    wanted = request.args.get("booking")
    if wanted is None:
        return filled
    booking = scheduling.booking(db, wanted)
    client = booking.client
    return filled | {
        "booking": booking.public_id,
        "reference": booking.code,
        "description": f"{booking.room.name}, {local_date(booking.span.starts_at, 'long')}",
        "amount": booking.price_minor or None,
        "client_name": client.name if client else "",
        "client_email": client.email if client else None,
    }


def _wish(form: AskForm, currency: str) -> service.Wish:
    return service.Wish(
        key=str(form.key.data), reference=str(form.reference.data or "").strip(), description=str(form.description.data).strip(),
        client_name=str(form.client_name.data).strip(), client_email=str(form.client_email.data or "").strip() or None,
        booking=form.booking.data or None, amount_minor=form.amount.data, currency=currency, fee_minor=fee_minor(form.amount.data),
        by=actor().user_id,
    )  # fmt: skip


def _link(public_id: str) -> str:
    return url_for("pay.page", public_id=public_id, _external=True)


def _mail(found: service.Request) -> None:
    studio = current_studio()
    context = {
        "studio_name": studio.name,
        "name": found.client_name,
        "description": found.description,
        "reference": found.reference,
        "price": money(found.amount_minor, found.currency),
        "url": _link(found.public_id),
    }
    with control_db() as control:
        key = f"payment-request:{found.public_id}:{new_public_id()}"
        mail.enqueue(
            control,
            key=key,
            to=found.client_email or "",
            template="payment_request",
            locale=str(g.get("studio_locale", "en")),
            context=context,
        )
        queue.enqueue(control, services().jobs, "deliver_mail")


def _do(public_id: str, done: str, work: Callable[[], None]) -> Response:
    """Do it and say so, or say why not, on the request's page."""
    try:
        work()
    except Refused as error:
        flash(str(error), "error")
    else:
        flash(done, "success")
    return redirect(url_for("payments.show", public_id=public_id), 303)


def _only(roles: frozenset[str]) -> None:
    if actor().role not in roles:
        raise NotAllowed
