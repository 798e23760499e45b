"""Every route of the three apps says in `routes.toml` who may open it, and closed ones are closed."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from flask import Flask, g
from pydantic import SecretStr

from studio import wiring
from studio.app import HostDispatcher, create_app
from studio.config import Settings
from studio.errors import NotAllowed, NotSignedIn
from studio.web.request import Actor

PLANES = ("platform", "studio", "backoffice")
WHO = {"public", "stripe", "member", "staff", "owner", "platform-staff"}
# Nothing listens there: what answers without a database is decided before any view runs.
NOWHERE = "postgresql+psycopg://nobody:nothing@127.0.0.1:1/nowhere"


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> HostDispatcher:
    settings = Settings(data=tmp_path_factory.mktemp("data"), host="localhost:8000", demo=True, stripe_api_key=SecretStr("sk_test_offline"))
    return create_app(wiring.build(settings, database_url=NOWHERE))


@pytest.fixture(scope="module")
def listed() -> dict[str, dict[str, str]]:
    return tomllib.loads(Path(__file__).with_name("routes.toml").read_text())


@pytest.mark.parametrize("plane", PLANES)
def test_every_route_is_listed(apps, listed, plane):
    assert _routes(getattr(apps, plane)) == set(listed[plane])


def test_every_listed_route_says_who_may_open_it(listed):
    assert {who for plane in listed.values() for who in plane.values()} <= WHO


def test_no_plane_has_routes_for_people_of_another(listed):
    assert not set(listed["platform"].values()) & {"staff", "owner", "platform-staff"}
    assert not set(listed["studio"].values()) & {"member", "platform-staff", "stripe"}
    assert not set(listed["backoffice"].values()) & {"member", "staff", "owner", "stripe"}


@pytest.mark.parametrize("plane", PLANES)
def test_closed_routes_let_in_nobody_unknown(apps, listed, plane):
    opened = [name for name, view in _closed(getattr(apps, plane), listed[plane]) if not _refuses(apps, plane, view, None, NotSignedIn)]

    assert not opened


@pytest.mark.parametrize(("plane", "role"), [("platform", "owner"), ("studio", "member"), ("studio", "staff"), ("backoffice", "owner")])
def test_closed_routes_let_in_nobody_of_another_plane(apps, listed, plane, role):
    opened = [name for name, view in _closed(getattr(apps, plane), listed[plane]) if not _refuses(apps, plane, view, role, NotAllowed)]

    assert not opened


def test_routes_of_the_owner_refuse_other_staff(apps, listed):
    views = [(name, view) for name, view in _closed(apps.studio, listed["studio"]) if listed["studio"][name] == "owner"]

    assert views
    assert all(_refuses(apps, "studio", view, "engineer", NotAllowed) for _, view in views)


def _closed(app: Flask, listed: dict[str, str]) -> list[tuple[str, Callable[[], object]]]:
    """The routes that are not for everyone, each with its view on made-up arguments."""
    return [
        (name, partial(app.view_functions[rule.endpoint], **dict.fromkeys(rule.arguments, "anything")))
        for rule in app.url_map.iter_rules()
        for name in _names(rule)
        if listed.get(name) not in {None, "public", "stripe"}
    ]


def _refuses(apps: HostDispatcher, plane: str, view: Callable[[], object], role: str | None, error: type[Exception]) -> bool:
    """Whether the view raises the error before it does anything; there is no database it could ask."""
    with getattr(apps, plane).test_request_context():
        if role is not None:
            g.actor = Actor(user_id="0", name="Somebody", email="somebody@example.com", role=role, locale="en")
        try:
            view()
        except error:
            return True
    return False


def _routes(app: Flask) -> set[str]:
    return {name for rule in app.url_map.iter_rules() for name in _names(rule)}


def _names(rule) -> list[str]:
    return [f"{method} {rule.rule}" for method in sorted(rule.methods - {"HEAD", "OPTIONS"})]
