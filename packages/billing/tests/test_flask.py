"""The endpoint: 200 once stored, 400 for everything else, never 500."""

from __future__ import annotations

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roomtone_billing import Phase
from roomtone_billing.errors import EntitlementsUnavailable, UnknownFeature
from roomtone_billing.flask import Refusal, blueprint, requires
from roomtone_billing.inbox import PAYLOAD_BYTES_MAX


@pytest.fixture
def woken() -> list[bool]:
    return []


@pytest.fixture
def client(host, woken):
    app = Flask(__name__)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.register_blueprint(blueprint(host.billing, lambda: woken.append(True), path="/hook"))
    return app.test_client()


def test_an_event_is_stored_and_a_worker_woken(host, client, woken):
    payload, header = host.event()
    codes = [client.post("/hook", data=payload, headers={"Stripe-Signature": header}).status_code for _ in range(2)]

    assert (codes, len(woken), len(host.billing.inbox())) == ([200, 200], 2, 1)


def test_a_forgery_wakes_nobody(client, woken):
    answer = client.post("/hook", data=b"{}", headers={"Stripe-Signature": "t=1,v1=00"})

    assert (answer.status_code, woken) == (400, [])


def test_too_long_a_body_is_refused_whether_it_says_its_length_or_not(host, client):
    payload = b" " * (PAYLOAD_BYTES_MAX + 1)
    header = {"Stripe-Signature": host.signed(payload)[1]}

    assert client.post("/hook", data=payload, headers=header).status_code == 400


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(payload=st.binary(max_size=300), is_signed=st.booleans(), header=st.text(st.characters(codec="latin-1", exclude_categories=["Cc"])))
def test_no_input_whatever_gets_a_500(host, client, payload, is_signed, header):
    header = host.signed(payload)[1] if is_signed else header

    assert client.post("/hook", data=payload, headers={"Stripe-Signature": header}).status_code == 400


def test_inline_the_request_that_brought_an_event_works_it_off(host):
    app = Flask(__name__)
    app.register_blueprint(blueprint(host.billing, path="/hook", inline=True))
    customer = host.customer()
    host.stripe.subscribe(customer, plan="pro")
    (payload,) = host.stripe.events(customer)
    _, header = host.signed(payload)
    answer = app.test_client().post("/hook", data=payload, headers={"Stripe-Signature": header})

    assert (answer.status_code, host.billing.account("a").access().phase) == (200, Phase.active)


def test_inline_an_event_is_acknowledged_though_the_work_fails(host, monkeypatch):
    app = Flask(__name__)
    app.register_blueprint(blueprint(host.billing, path="/hook", inline=True))

    def fail(limit: int) -> int:
        raise RuntimeError("out of memory")

    payload, header = host.event()
    monkeypatch.setattr(host.billing, "work", fail)
    answer = app.test_client().post("/hook", data=payload, headers={"Stripe-Signature": header})
    monkeypatch.undo()
    host.drain()

    assert (answer.status_code, [str(view.state) for view in host.billing.inbox()]) == (200, ["foreign"])


@pytest.fixture
def guarded(host):
    """A page that needs a room, and shows why not to whoever may not."""
    host.start_trial()
    app = Flask(__name__)

    @app.get("/room")
    @requires("rooms", billing=host.billing, account=lambda: "a")
    def room() -> str:
        return "a room"

    app.register_error_handler(Refusal, lambda error: (f"{error.description} {error.decision.source}", error.code))
    return app.test_client()


def test_a_guarded_view_runs_when_the_account_may_and_else_says_why(host, guarded):
    before = guarded.get("/room")
    with host.billing.account("a").entitlements.hold("rooms", 2, key="h"):
        used_up = guarded.get("/room")
    host.billing.account("a").entitlements.override("rooms", 0, reason="abuse", actor="ada")
    taken = guarded.get("/room")
    host.clock.move(days=14)
    ended = guarded.get("/room")

    assert (before.status_code, before.text) == (200, "a room")
    assert (used_up.status_code, "2 are used, so 1 more do not fit. trial" in used_up.text) == (402, True)
    assert (taken.status_code, "does not include rooms. override" in taken.text) == (403, True)
    assert (ended.status_code, ended.text.startswith("The account is read-only")) == (402, True)


def test_a_guard_is_closed_while_nobody_can_say(host, guarded, monkeypatch):
    def unavailable(*_):
        raise EntitlementsUnavailable("a", "OperationalError")

    monkeypatch.setattr("roomtone_billing.account.Account.check", unavailable)

    assert guarded.get("/room").status_code == 503


def test_a_guard_for_a_feature_no_plan_names_is_an_error_where_it_is_written(host):
    with pytest.raises(UnknownFeature):
        requires("room", billing=host.billing, account=lambda: "a")
