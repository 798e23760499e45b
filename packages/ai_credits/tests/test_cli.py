import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from rich.console import Console
from sqlalchemy import create_engine, text

from roomtone_ai_credits import CREDIT, AiCredits, ModelRate, RateCard, Usage, schema
from roomtone_ai_credits.cli import commands_of, main, output


@pytest.fixture
def run(engine):
    url = engine.url.render_as_string(hide_password=False)

    def invoke(*words, **settings):
        return CliRunner().invoke(main, [*words, "--database-url", url], **settings)

    return invoke


@pytest.fixture
def ask(run):
    """Run a command for a program, and read what it says."""

    def read(*words):
        answer = run(*words, "--json")
        assert answer.exit_code == 0, answer.output
        return json.loads(answer.output)

    return read


@pytest.fixture
def give(run, account):
    """Give the account credits by hand, under the key `k`."""
    return lambda amount="12.5", key="k": run("grant", account, amount, "--key", key, "--reason", "sorry", "--yes")


@pytest.fixture
def cards(tmp_path):
    """Write a rate card to a file; returns its path."""

    def write(**prices):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
        path.write_text(RateCard(version="file", models=(ModelRate(pattern="*", **prices),)).model_dump_json())
        return str(path)

    return write


@pytest.fixture
def busy(engine, account):
    """An account that was used now, by a real clock: what the command line looks at by default."""
    card = RateCard(version="1", models=(ModelRate(pattern="*", request_micro=CREDIT),))
    ledger = AiCredits(engine, rate_card=card)
    ledger.grant(None, account, amount=100 * CREDIT, key="pack", kind="pack", cost_minor=500, currency="EUR")
    for number, user in enumerate(["ada", "ada", "bob"]):
        usage = Usage(requests=number + 1, input_tokens=1000)
        ledger.charge(account, model="small", usage=usage, key=f"c{number}", user=user, feature="chat")
    return account


def test_credits_given_by_hand_are_shown(run, give, account):
    given = give()

    shown = run("balance", account)

    assert (given.exit_code, given.output) == (0, "gave 12.5 credits\n")
    assert "available\t12.5\n" in shown.output
    assert "promotion\t12.5\t12.5\tused up" in shown.output
    assert "sorry" in shown.output


def test_a_program_reads_amounts_in_micro_credits(ask, give, account):
    give()

    shown = ask("balance", account)

    assert shown["balance"]["available"] == 12_500_000
    assert [entry["amount"] for entry in shown["entries"]] == [12_500_000]


def test_a_command_repeated_gives_nothing_twice(give, account, ledger):
    outputs = [give("1").output for _ in range(2)]

    assert (outputs[1], ledger.balance(account).available) == ("already given 1 credits\n", 1_000_000)


def test_nothing_is_given_before_the_answer_is_yes(run, account, ledger):
    refused = run("grant", account, "5", "--key", "k", "--reason", "r", input="n\n")
    agreed = run("grant", account, "7", "--key", "l", "--reason", "r", input="y\n")

    assert (refused.exit_code, agreed.exit_code) == (1, 0)
    assert ledger.balance(account).available == 7 * CREDIT


def test_an_amount_that_is_none_is_refused_in_a_sentence(give):
    refused = give("much")

    assert refused.exit_code == 1
    assert refused.output.startswith("Error: amount is 'much'")


def test_credits_die_when_the_command_said(run, account, ledger):
    run("grant", account, "5", "--key", "k", "--reason", "r", "--kind", "pack", "--expires", "2027-01-31", "--yes")

    (lot,) = ledger.balance(account).lots
    assert (lot.kind, lot.expires_at.date().isoformat()) == ("pack", "2027-01-31")


def test_an_account_is_corrected_both_ways(run, give, account, ledger):
    give("10")

    run("adjust", "--key", "a", "--reason", "r", "--yes", account, "2")
    taken = CliRunner().invoke(
        main,
        ["adjust", "--key", "b", "--reason", "r", "--yes", "--database-url", _url(ledger), "--", account, "-5"],
    )

    assert taken.output == "corrected by -5 credits\n"
    assert ledger.balance(account).available == 7 * CREDIT


def test_limits_are_set_shown_and_removed(run, ask, account):
    run("limits", "set", account, "seat", "5", "--scope", "user", "--window", "day", "--key", "l1")
    run("limits", "set", account, "all", "100", "--soft", "--key", "l2")

    shown = run("limits", "list", account).output
    before = ask("limits", "list", account)
    removed = run("limits", "remove", account, "all", "--key", "l3", "--yes")

    assert "seat\tuser\tday\t0\t5\trefuses" in shown
    assert "all\taccount\tmonth\t0\t100\ttells" in shown
    assert [use["limit"]["name"] for use in before] == ["all", "seat"]
    assert removed.output == "limit all: removed\n"
    assert [use["limit"]["name"] for use in ask("limits", "list", account)] == ["seat"]


def test_what_each_used_under_a_limit_is_listed(engine, account, ask):
    ledger = AiCredits(engine, rate_card=RateCard(version="1", models=(ModelRate(pattern="*", request_micro=CREDIT),)))
    ledger.grant(None, account, amount=10 * CREDIT, key="fund")
    ledger.set_limit(None, account, "seat", scope="user", amount=5 * CREDIT, key="each")
    ledger.set_limit(None, account, "seat", scope="user", subject="bob", amount=2 * CREDIT, key="bob")
    for user in ("ada", "bob"):
        ledger.charge(account, model="m", usage=Usage(), key=user, user=user)

    uses = ask("limits", "list", account)

    assert [(use["subject"], use["used"], use["limit"]["amount"]) for use in uses] == [
        ("ada", CREDIT, 5 * CREDIT),
        ("bob", CREDIT, 2 * CREDIT),
    ]


def test_a_call_is_explained_at_the_prices_of_a_card(run, ask, give, cards, account):
    give("1")
    card = cards(input_nano=1_000_000)

    granted = run("explain", account, "--model", "any", "--input", "500", "--card", card)
    refused = ask("explain", account, "--model", "any", "--input", "2000", "--card", card)

    assert granted.output.startswith("granted: it costs 0.5 of 1\n")
    assert (refused["is_granted"], refused["cost"]) == (False, 2 * CREDIT)
    assert account in refused["refusal"]


def test_what_was_not_told_is_shown_until_it_is_acknowledged(engine, run, ask, account):
    ledger = AiCredits(engine, rate_card=RateCard(version="1", models=(ModelRate(pattern="*", request_micro=CREDIT),)))
    ledger.grant(None, account, amount=2 * CREDIT, key="fund")
    ledger.set_alerts(None, account, below={2 * CREDIT: CREDIT}, key="alerts")
    ledger.charge(account, model="m", usage=Usage(), key="c")

    shown = run("events", "--limit", "10000", "--acknowledge").output

    assert f"{account}\tlow_balance\tbelow {2 * CREDIT}, available {CREDIT}" in shown
    assert account not in [event["account"] for event in ask("events", "--limit", "10000")]


@pytest.mark.parametrize(("by", "names"), [("user", ["ada", "bob"]), ("model", ["small"]), ("feature", ["chat"])])
def test_reports_say_where_credits_went(run, ask, busy, by, names):
    spent = ask("reports", by, "--account", busy)

    assert [part["name"] for part in spent] == names
    assert sum(part["charged"] for part in spent) == 6 * CREDIT
    assert run("reports", by, "--account", busy).output.splitlines()[0].startswith(names[0])


def test_days_are_reported_since_when_one_asks(ask, busy):
    assert len(ask("reports", "day", "--account", busy)) >= 1
    assert ask("reports", "day", "--account", busy, "--since", "2020-01-01", "--until", "2020-02-01") == []


def test_a_forecast_says_how_long_credits_last(run, ask, busy):
    found = ask("reports", "forecast", busy, "--days", "2")

    assert found["per_day"] == 3 * CREDIT
    assert datetime.fromisoformat(found["lasts_until"]) > datetime.now().astimezone()
    assert "a day\t3\n" in run("reports", "forecast", busy, "--days", "2").output


def test_the_margin_sets_what_was_paid_beside_what_it_cost(run, ask, busy, cards):
    costs = cards(input_nano=2_000_000)

    (found,) = ask("reports", "margin", "--account", busy, "--costs", costs)

    assert (found["earned"], found["cost"]) == ({"EUR": 30_000_000}, 6_000_000)
    assert "small\t6\t30 EUR\t6" in run("reports", "margin", "--account", busy, "--costs", costs).output


def test_usage_of_the_past_is_rated_with_another_card(run, ask, busy, cards):
    other = cards(input_nano=1_000_000)

    (found,) = ask("simulate", "--account", busy, "--with-card", other)

    assert (found["charged"], found["would_be"]) == (6 * CREDIT, 3 * CREDIT)
    assert f"{busy}\tsmall\t3\t6\t3\t-3" in run("simulate", "--account", busy, "--with-card", other).output


def test_what_is_no_rate_card_is_said_in_a_sentence(run, busy, tmp_path):
    wrong = tmp_path / "card.json"
    wrong.write_text("{}")

    refused = run("simulate", "--with-card", str(wrong))

    assert refused.exit_code == 1
    assert "is no rate card" in refused.output


def test_what_is_due_is_booked(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path}/due.db")
    schema.upgrade(engine)
    ledger = AiCredits(engine, rate_card=RateCard(version="1"), clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    ledger.grant(None, "acme", amount=CREDIT, key="k", expires_at=datetime(2026, 1, 2, tzinfo=UTC))

    outputs = [CliRunner().invoke(main, ["sweep", "--json", "--database-url", _url(ledger)]).output for _ in range(2)]

    assert [json.loads(output)["accounts"] for output in outputs] == [1, 0]
    assert [entry.kind for entry in ledger.entries("acme")] == ["expiry", "grant"]
    engine.dispose()


def test_books_that_balance_are_proved(run, ask, give, account):
    give("1")

    proved = run("verify", "--account", account)

    assert (proved.exit_code, proved.output) == (0, "the books balance: 1 accounts, 1 entries\n")
    assert ask("verify", "--account", account) == {"accounts": 1, "entries": 1}


def test_books_that_do_not_balance_fail_the_command_and_say_how_to_repair_them(run, engine):
    run("grant", "forged", "1", "--key", "k", "--reason", "r", "--yes")
    with engine.begin() as connection:
        connection.execute(text("UPDATE credits_account SET balance = 7 WHERE account = 'forged'"))

    proved = run("verify", "--account", "forged")
    told = run("verify", "--account", "forged", "--json")

    assert proved.exit_code == told.exit_code == 1
    assert "account 'forged': balance" in proved.output
    assert "UPDATE credits_account SET balance" in proved.output
    assert any("UPDATE credits_account" in repair for repair in json.loads(told.output)["repairs"])


def test_an_application_has_the_same_commands_on_its_own_ledger(ledger, account):
    ledger.grant(None, account, amount=5 * CREDIT, key="k")

    shown = CliRunner().invoke(commands_of(ledger), ["balance", account])

    assert "available\t5\n" in shown.output


def test_a_database_is_needed_where_there_is_no_application():
    refused = CliRunner().invoke(main, ["balance", "acme"])

    assert refused.exit_code == 2
    assert "Missing option '--database-url'" in refused.output


def test_tables_fit_a_terminal_of_80_columns(monkeypatch):
    console = Console(width=80, force_terminal=True, record=True)
    monkeypatch.setattr(output, "Console", lambda: console)
    why = "a long reason that somebody wrote down, because it mattered to them"
    when = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)

    output.print_table(("when", "what", "credits>", "balance>", "why"), [(when, "charge", "-1,234.567891", "1,000,000.5", why)])

    lines = console.export_text().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 80
    assert lines[1].startswith("2026-01-01 12:30  charge  -1,234.567891  1,000,000.5")


def _url(ledger):
    return ledger.ledger.engine.url.render_as_string(hide_password=False)
