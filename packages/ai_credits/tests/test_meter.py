import pytest
from sqlalchemy.exc import OperationalError

from roomtone_ai_credits import Usage, errors
from roomtone_ai_credits.meter import Meter


@pytest.fixture
def meter(ledger, account, transaction):
    with transaction() as session:
        ledger.grant(session, account, amount=100, key="fund")
    return lambda tokens=60, key="turn": ledger.meter(account, model="unit", estimate=Usage(input_tokens=tokens), key=key)


def available(ledger, account):
    return ledger.balance(account).available


def test_a_metered_call_costs_what_it_used(ledger, account, meter):
    with meter() as call:
        during = ledger.balance(account).held
        call.settle(Usage(input_tokens=25))

    assert (during, call.charged, available(ledger, account)) == (60, 25, 75)


def test_a_call_that_reports_no_usage_is_charged_as_estimated(ledger, account, meter):
    with meter() as call:
        pass

    assert (call.charged, available(ledger, account)) == (60, 40)


@pytest.mark.parametrize("problem", [RuntimeError, KeyboardInterrupt, GeneratorExit])
def test_a_call_that_fails_costs_nothing(ledger, account, meter, problem):
    with pytest.raises(problem), meter() as call:
        raise problem

    assert (call.charged, available(ledger, account)) == (None, 100)


def test_a_failure_after_settling_changes_nothing(ledger, account, meter):
    def turn():
        with meter() as call:
            call.settle(Usage(input_tokens=25))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        turn()

    assert available(ledger, account) == 75


def test_a_call_nobody_can_pay_is_not_made(ledger, account, meter):
    made = []

    with pytest.raises(errors.InsufficientCredits), meter(101):
        made.append("a call")

    assert (made, available(ledger, account)) == ([], 100)


def test_a_model_without_a_price_is_not_called(ledger, account):
    with pytest.raises(errors.UnknownModel), ledger.meter(account, model="other", estimate=Usage(), key="turn"):
        pytest.fail("the model was called")


def test_a_call_made_again_under_its_key_is_charged_once(ledger, account, meter):
    with meter() as first:
        first.settle(Usage(input_tokens=25))

    with meter() as again:
        again.settle(Usage(input_tokens=99))

    assert (again.charged, available(ledger, account)) == (25, 75)


def test_a_call_made_again_after_a_failure_is_charged(ledger, account, meter):
    with pytest.raises(RuntimeError), meter():
        raise RuntimeError

    with meter() as again:
        again.settle(Usage(input_tokens=25))

    assert available(ledger, account) == 75


def test_no_transaction_is_open_while_the_model_is_called(engine, meter):
    with meter() as call:
        assert engine.pool.checkedout() == 0
        call.settle(Usage())


def test_work_whose_settlement_failed_is_not_given_away(ledger, account, meter):
    """The database was away when the answer came: the hold stays, to be settled by its id."""

    def away(_hold_id, _usage):
        raise OperationalError("settle", {}, Exception("the connection is gone"))

    broken = Meter(take=meter()._take, settle=away, release=ledger.release)

    def turn():
        with broken as call:
            call.settle(Usage(input_tokens=25))

    with pytest.raises(OperationalError):
        turn()

    assert ledger.balance(account).held == 60
    assert ledger.settle(broken.hold.id, Usage(input_tokens=25)).charged == 25
