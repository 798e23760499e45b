"""The commands, run against a billing that a factory makes."""

from __future__ import annotations

import json
import sys
import types
from dataclasses import replace

import pytest
from click.testing import CliRunner

from roomtone_billing import Billing, Interval, Price
from roomtone_billing.cli import main


@pytest.fixture
def run(host, monkeypatch):
    module = types.ModuleType("host_app")
    module.billing = lambda: host.billing
    module.something_else = lambda: 7
    monkeypatch.setitem(sys.modules, "host_app", module)
    return lambda *arguments, app="host_app:billing": CliRunner().invoke(main, [*arguments, "--app", app])


def test_the_catalogue_is_planned_then_applied_then_in_order(run):
    planned, applied, again = run("catalog", "plan"), run("catalog", "apply"), run("catalog", "plan")

    assert planned.output == applied.output
    assert "+ create price pro_year: 59000 EUR minor units per year" in applied.output
    assert again.output == "nothing to change\n"
    assert [one.exit_code for one in (planned, applied, again)] == [2, 0, 0]


def test_programs_read_the_plan_as_json(run):
    changes = json.loads(run("catalog", "plan", "--json").output)

    assert changes[0] == {"action": "create", "kind": "product", "key": "plan_starter", "before": None, "after": "Starter"}
    assert {"create"} == {change["action"] for change in changes}


def test_a_price_that_somebody_pays_is_replaced_only_when_told(run, host, catalogue):
    subscribed = host.stripe.subscribe(host.customer(), plan="starter")
    dearer = replace(catalogue.plans[0], prices=(Price(Interval.month, 2100), *catalogue.plans[0].prices[1:]))
    changed = replace(catalogue, plans=(dearer, *catalogue.plans[1:]))
    host.billing = Billing(host.engine, catalogue=changed, gateway=host.gateway, clock=host.clock)
    refused, unchanged = run("catalog", "apply"), run("catalog", "plan")
    told, after = run("catalog", "apply", "--replace-used"), run("catalog", "plan")

    assert (refused.exit_code, unchanged.exit_code, told.exit_code, after.exit_code) == (1, 2, 0, 0)
    assert "customers are subscribed to starter_month" in refused.output
    assert "± replace price starter_month: 1900 EUR" in unchanged.output
    assert host.stripe.api.subscriptions.retrieve(subscribed).items.data[0].price.unit_amount == 1900


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
