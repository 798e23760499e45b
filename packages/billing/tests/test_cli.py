"""The commands, run against a billing that a factory makes."""

from __future__ import annotations

import json
import sys
import types
from dataclasses import replace

import pytest
from click.testing import CliRunner
from sqlalchemy.orm import Session

from roomtone_billing import Billing, Interval, Phase, Price
from roomtone_billing.cli import main
from roomtone_billing.models import SellerRow


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


def test_events_are_replayed_by_name_by_time_and_by_failure(run, host):
    host.hear(host.customer())
    host.drain()
    name = host.billing.inbox()[0].event_id
    outputs = [run("replay", name).output]
    host.drain()
    outputs += [run("replay", "--since", "2025-12-31").output, run("replay", "--since", "2025-12-31", "--until", "2026-01-01").output]
    outputs += [run("replay", "--failed").output]

    assert outputs == [
        f"{name} is pending again\n",
        "0 events are pending again\n",
        "0 events are pending again\n",
        "0 events are pending again\n",
    ]
    assert run("replay").exit_code == run("replay", name, "--failed").exit_code == 2


def test_the_worker_works_once_and_says_how_much(run, host):
    customer = host.customer()
    host.stripe.subscribe(customer, plan="pro")
    host.hear(customer)
    output = run("worker", "--once").output

    assert output.endswith("steps done\n")
    assert host.billing.account("a").access().phase is Phase.active


def test_gaps_are_filled_and_drift_is_repaired_and_listed(run, host):
    customer = host.customer()
    subscription = host.stripe.subscribe(customer, plan="pro")
    host.billing.account("a").sync()
    filled, again = run("backfill").output, json.loads(run("backfill", "--json").output)
    host.stripe.cancel(subscription)
    found, listed, quiet = run("reconcile").output, run("drifts").output, json.loads(run("reconcile", "--json").output)

    assert "events were missing" in filled
    assert again["missing"] == 0
    assert "1 accounts repaired" in found
    assert f"subscriptions.{subscription}.status: active here, canceled at Stripe" in found
    assert f"subscriptions.{subscription}.status" in listed
    assert (quiet["accounts"]["drifts"], quiet["accounts"]["is_complete"], quiet["sellers"]["calls"]) == ([], True, 0)
    assert json.loads(run("drifts", "--json").output)[0]["account"] == "a"


def test_connected_accounts_are_compared_too(run, host):
    with Session(host.engine) as session, session.begin():
        host.billing.open_account(session, "a", email="a@example.org", name="A")
    connect = host.billing.account("a").connect
    connect.onboard(return_url="http://b", refresh_url="http://b", country="FR")
    with Session(host.engine) as session:
        host.stripe.offline.restrict(session.get_one(SellerRow, "a").stripe_account)
    found = run("reconcile").output

    assert "1 connected accounts with 0 payments in" in found
    assert "seller.past_due.0: None here, individual.verification.document at Stripe" in found


@pytest.mark.parametrize("command", [name for name in main.commands if name not in {"catalog", "worker", "replay", "invoices", "export"}])
def test_every_command_has_json_for_programs(run, host, command):
    host.hear(host.customer())

    assert json.loads(run(command, "--json").output) is not None


def test_commands_that_do_say_what_they_did_as_json(run, host):
    host.hear(host.customer())
    worked = json.loads(run("worker", "--once", "--json").output)
    name = host.billing.inbox()[0].event_id

    assert worked["steps"] > 0
    assert json.loads(run("replay", name, "--json").output) == {"event": name, "events": 1}
    assert json.loads(run("replay", "--failed", "--json").output) == {"events": 0}


@pytest.mark.parametrize(
    "verb", ["catalog", "worker", "replay", "backfill", "reconcile", "doctor", "invoices", "offline-stripe", "status", "drifts"]
)
def test_every_command_says_what_it_is_for(verb):
    shown = CliRunner().invoke(main, [verb, "--help"])

    assert shown.exit_code == 0
    assert len(shown.output.splitlines()) > 5


def test_the_doctor_says_what_to_do_and_fails_until_it_is_done(run, host):
    ill, as_data = run("doctor"), json.loads(run("doctor", "--json").output)
    host.billing.publish()
    host.stripe.api.webhook_endpoints.create({"url": "https://a.example/hook", "enabled_events": ["*"]})
    run("backfill")
    host.drain()
    well = run("doctor")

    assert (ill.exit_code, well.exit_code) == (1, 0)
    assert "run `billing catalog apply`" in ill.output
    assert {one["check"] for one in as_data if not one["is_ok"]} == {"endpoint", "catalogue"}


def test_the_status_shows_what_waits_and_what_is_violated(run, host):
    host.billing.receive(*host.event())
    well = run("status")
    host.clock.move(hours=3)
    ill = run("status")
    data = json.loads(run("status", "--json").output)

    assert (well.exit_code, ill.exit_code) == (0, 1)
    assert "1 pending" in well.output
    assert "is a worker running?" in ill.output
    assert data[1][0]["invariant"] == "events are looked at"


def test_old_events_are_deleted_but_never_too_early(run, host):
    host.hear(host.customer())
    host.drain()
    host.clock.move(days=91)

    assert run("forget", "--keep-days", "30").exit_code == 2
    assert run("forget").output == "1 events deleted\n"


def test_invoices_are_listed_with_their_credit_notes(run, host):
    account, _ = host.subscribed(plan="pro")
    account.credit_note(account.invoices()[0].id, amount_minor=900, memo="down", key="k")
    shown, plain = run("invoices", "a").output, json.loads(run("invoices", "a", "--json").output)

    assert "credit" in shown
    assert "-900" in shown
    assert [(one["payable_minor"], one["returned_minor"], one["credit_notes"][0]["memo"]) for one in plain] == [(5900, 900, "down")]


def test_an_account_is_exported_line_by_line(run, host):
    host.start_trial()
    lines = [json.loads(line) for line in run("export", "a").output.splitlines()]
    unknown = run("export", "nobody")

    assert (lines[0]["row"]["email"], lines[-1]["manifest"]["account"]) == ("a@example.org", "a")
    assert (unknown.exit_code, "account 'nobody' is unknown" in unknown.output) == (1, True)
