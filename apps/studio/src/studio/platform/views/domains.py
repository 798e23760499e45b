"""A studio's own addresses: claim one, see what to put into DNS, prove it, choose the public one."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from studio.errors import BadInput, NotAllowed
from studio.platform import domains
from studio.platform.forms import DomainForm
from studio.web.access import staff_only
from studio.web.request import actor, control_db, current_studio, services

pages = Blueprint("domains", __name__, template_folder="../templates")
HERE = "/app/settings/domains"


@pages.get(HERE)
@staff_only
def index() -> str:
    """The studio's addresses, and those that wait for their proof."""
    return _page(DomainForm())


@pages.post(HERE)
@staff_only
def claim() -> Response | str:
    """Claim an address."""
    _owner_only()
    form = DomainForm()
    if form.validate_on_submit():
        try:
            with control_db() as db:
                domains.claim(db, services(), current_studio().key, str(form.host.data).strip())
        except BadInput as error:
            form.add_error(error)
        else:
            return redirect(HERE, 303)
    return _page(form)


@pages.post(f"{HERE}/proof")
@staff_only
def prove() -> Response:
    """Ask DNS, and give the address to the studio if it says so."""
    _owner_only()
    host = _host()
    return _do(_("The address is yours."), lambda: _prove(host))


@pages.post(f"{HERE}/primary")
@staff_only
def make_primary() -> Response:
    """Choose the public address."""
    _owner_only()
    return _do(_("The public address is changed."), lambda: _change(domains.make_primary))


@pages.post(f"{HERE}/removal")
@staff_only
def remove() -> Response:
    """Give an address or a claim up."""
    _owner_only()
    return _do(_("The address is removed."), lambda: _change(domains.remove))


def _page(form: DomainForm) -> str:
    found = services().database.tenancy.domains.list(current_studio().key)
    return render_template(
        "platform/domains.html", domains=found, form=form, is_owner=actor().role == "owner", own=services().settings.host
    )


def _prove(host: str) -> None:
    found = domains.found_in_dns(services(), host)
    with control_db() as db:
        domains.prove(db, services(), current_studio().key, host, found)


def _change(verb: Callable[..., None]) -> None:
    with control_db() as db:
        verb(db, services(), current_studio().key, _host())


def _do(done: str, work: Callable[[], None]) -> Response:
    """Do it and say so, or say why not, on the page of addresses."""
    try:
        work()
    except BadInput as error:
        flash(str(error), "error")
    else:
        flash(done, "success")
    return redirect(HERE, 303)


def _host() -> str:
    return request.form.get("host", "")[:300]


def _owner_only() -> None:
    if actor().role != "owner":
        raise NotAllowed
