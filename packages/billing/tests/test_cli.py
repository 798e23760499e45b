"""The commands, run against a billing that a factory makes."""

from __future__ import annotations

import sys
import types

import pytest
from click.testing import CliRunner

from roomtone_billing.cli import main


@pytest.fixture
def run(host, monkeypatch):
    module = types.ModuleType("host_app")
    module.billing = lambda: host.billing
    module.something_else = lambda: 7
    monkeypatch.setitem(sys.modules, "host_app", module)
    return lambda *arguments, app="host_app:billing": CliRunner().invoke(main, [*arguments, "--app", app])


def test_the_catalogue_is_planned_then_applied_then_in_order(run):
    planned, applied, again = run("catalog", "plan").output, run("catalog", "apply").output, run("catalog", "plan").output

    assert planned == applied
    assert "create price pro_year: 59000 EUR minor units per year" in applied
    assert again == "nothing to change\n"


def test_the_inbox_is_listed_and_an_event_replayed(run, host):
    host.hear(host.customer())
    host.drain()
    event_id = host.billing.inbox()[0].event_id
    listed = run("inbox").output
    replayed = run("replay", event_id)

    assert event_id in listed
    assert "done" in listed
    assert replayed.exit_code == 0
    assert host.billing.inbox()[0].state == "pending"


def test_what_is_not_there_is_said_in_a_sentence(run, host):
    host.stripe.break_down(operation="get /v1/prices")
    outage, unknown = run("catalog", "plan"), run("replay", "evt_none")

    assert (outage.exit_code, unknown.exit_code) == (1, 1)
    assert "Stripe could not be reached" in outage.output
    assert "no event 'evt_none' is stored" in unknown.output


@pytest.mark.parametrize("app", ["host_app", "no_such_module:billing", "host_app:nothing", "host_app:something_else"])
def test_an_app_that_makes_no_billing_is_a_usage_error(run, app):
    assert run("inbox", app=app).exit_code == 2


def test_the_offline_stripe_is_among_the_commands():
    listed = CliRunner().invoke(main, ["--help"]).output
    help_text = CliRunner().invoke(main, ["offline-stripe", "--help"])

    assert "offline-stripe" in listed
    assert help_text.exit_code == 0
    assert "--port" in help_text.output
