"""The onboarding page of a connected account: one button in place of Stripe's long form."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, url_for
from werkzeug.wrappers import Response

from ..errors import missing
from ..objects import Object
from ..resources import accounts
from ..world import World
from .host import allow_leaving_to, host

pages = Blueprint("connect", __name__, url_prefix="/connect/onboarding/<link_id>")


@pages.get("")
def show(link_id: str) -> str:
    """Show whose account it is and what is asked for."""
    with host().lock:
        link, account = _read(host().world, link_id)
        allow_leaving_to(link["return_url"])
        return render_template("onboarding.html", account=account, action=url_for("connect.finish", link_id=link_id))


@pages.post("")
def finish(link_id: str) -> Response | str:
    """Tell everything, and go back to the platform."""
    with host().transaction() as world:
        link, account = _read(world, link_id)
        accounts.onboard(world, account["id"])
    if link["return_url"]:
        return redirect(link["return_url"], 303)
    return render_template("message.html", title="Done", text="The account can take payments now. You can close this page.")


def _read(world: World, link_id: str) -> tuple[Object, Object]:
    link = world.store.find("account_link", link_id)
    if link is None or link["expires_at"] <= world.now:
        raise missing("account_link", link_id)
    return link, world.store.get(accounts.KIND, link["account"])
