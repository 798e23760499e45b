import pytest
from click.testing import CliRunner
from sqlalchemy import text

from roomtone_ai_credits.cli import main


@pytest.fixture
def run(engine):
    url = engine.url.render_as_string(hide_password=False)
    return lambda *words: CliRunner().invoke(main, [*words, "--database-url", url])


def test_credits_given_by_hand_are_shown(run, account):
    given = run("grant", account, "12.5", "--key", "k", "--reason", "sorry")

    shown = run("balance", account)

    assert (given.exit_code, given.output) == (0, "gave 12.5 credits\n")
    assert "available 12.5  held 0  debt 0" in shown.output
    assert "sorry" in shown.output


def test_a_command_repeated_gives_nothing_twice(run, account, ledger):
    outputs = [run("grant", account, "1", "--key", "k", "--reason", "r").output for _ in range(2)]

    assert (outputs[1], ledger.balance(account).available) == ("already given 1 credits\n", 1_000_000)


def test_an_amount_that_is_none_is_refused_in_a_sentence(run, account):
    refused = run("grant", account, "much", "--key", "k", "--reason", "r")

    assert refused.exit_code == 1
    assert refused.output.startswith("Error: amount is 'much'")


def test_books_that_balance_are_proved(run, account):
    run("grant", account, "1", "--key", "k", "--reason", "r")

    proved = run("verify", "--account", account)

    assert (proved.exit_code, proved.output) == (0, "the books balance: 1 accounts, 1 entries\n")


def test_books_that_do_not_balance_fail_the_command(run, engine):
    run("grant", "forged", "1", "--key", "k", "--reason", "r")
    with engine.begin() as connection:
        connection.execute(text("UPDATE credits_account SET balance = 7 WHERE account = 'forged'"))

    proved = run("verify", "--account", "forged")

    assert proved.exit_code == 1
    assert "account 'forged': balance" in proved.output
