import asyncio

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


@pytest.mark.parametrize("problem", [RuntimeError, MemoryError, SystemExit])
def test_a_call_that_fails_costs_nothing(ledger, account, meter, problem):
    with pytest.raises(problem), meter() as call:
        raise problem

    assert (call.charged, available(ledger, account)) == (None, 100)


@pytest.mark.parametrize("problem", [GeneratorExit, KeyboardInterrupt, TimeoutError, asyncio.CancelledError])
@pytest.mark.parametrize(("seen", "charged"), [(None, 60), (70, 70)])
def test_a_call_nobody_waits_for_any_more_costs_what_went_in_at_least(ledger, account, meter, problem, seen, charged):
    def turn():
        estimate = Usage(input_tokens=60, output_tokens=10)
        with ledger.meter(account, model="unit", estimate=estimate, key="turn") as call:
            calls.append(call)
            if seen:
                call.observe(Usage(input_tokens=seen))
            raise problem

    calls = []
    with pytest.raises(problem):
        turn()

    assert (calls[0].charged, available(ledger, account)) == (charged, 100 - charged)


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

    broken = Meter(take=meter()._take, settle=away, release=ledger.release, grow=ledger.grow)

    def turn():
        with broken as call:
            call.settle(Usage(input_tokens=25))

    with pytest.raises(OperationalError):
        turn()

    assert ledger.balance(account).held == 60
    assert ledger.settle(broken.hold.id, Usage(input_tokens=25)).charged == 25


# ── Streams ───────────────────────────────────────────────────────────────────


def test_a_stream_grows_its_hold_in_steps_and_stops_when_credit_ends(ledger, account, meter):
    with meter(10) as call:
        told = [(call.observe(Usage(input_tokens=used)), call.hold.amount) for used in (5, 40, 50, 90, 101)]
        call.settle(Usage(input_tokens=101))

    assert told == [(True, 10), (True, 50), (True, 50), (True, 90), (False, 90)]
    assert (call.charged, ledger.balance(account).debt) == (101, 1)


def test_observing_costs_no_statement_while_the_hold_covers_it(meter, statements):
    with meter(60) as call:
        statements.clear()
        call.observe(Usage(input_tokens=60))
        call.settle(Usage(input_tokens=60))

    assert statements == []


@pytest.mark.parametrize(
    ("policy", "seen", "charged"),
    [("release", 20, None), ("observed", 20, 20), ("observed", None, None), ("estimate", 20, 20), ("estimate", None, 60)],
)
@pytest.mark.parametrize("problem", [RuntimeError, KeyboardInterrupt, GeneratorExit])
def test_a_stream_that_is_cut_is_charged_by_the_declared_policy(ledger, account, transaction, policy, seen, charged, problem):
    with transaction() as session:
        ledger.grant(session, account, amount=100, key="fund")

    def turn():
        with ledger.meter(account, model="unit", estimate=Usage(input_tokens=60), key="turn", on_failure=policy, on_cancel=policy) as call:
            calls.append(call)
            if seen:
                call.observe(Usage(input_tokens=seen))
            raise problem

    calls = []
    with pytest.raises(problem):
        turn()

    assert (calls[0].charged, available(ledger, account)) == (charged, 100 - (charged or 0))


def test_a_stream_left_without_a_settlement_is_charged_as_observed(ledger, account, meter):
    with meter(60) as call:
        call.observe(Usage(input_tokens=7))

    assert (call.charged, available(ledger, account)) == (7, 93)


def test_usage_nobody_reported_is_not_usage_of_zero(ledger, account, meter):
    with meter(60) as call:
        settlement = call.settle(None)

    assert (settlement.charged, settlement.is_estimated) == (60, True)
    assert ledger.entries(account)[0].reason == "no usage was reported: charged as estimated"


def test_unreported_usage_of_a_hold_that_grew_is_what_it_grew_to(ledger, account, meter):
    with meter(10) as call:
        call.observe(Usage(input_tokens=40))
        settlement = call.settle(None)

    assert settlement.charged == 50


@pytest.mark.parametrize("state", ["released", "settled"])
def test_only_an_open_hold_grows(ledger, account, meter, state):
    meter()  # funds the account
    hold = ledger.hold(account, model="unit", estimate=Usage(input_tokens=10), key="work")
    if state == "released":
        ledger.release(hold.id)
        with pytest.raises(errors.InsufficientCredits):
            ledger.grow(hold.id, 20)
        return
    ledger.settle(hold.id, Usage(input_tokens=10))

    assert ledger.grow(hold.id, 20).amount == 10


def test_a_hold_that_grows_lasts_anew(ledger, account, meter, clock):
    meter()  # funds the account
    hold = ledger.hold(account, model="unit", estimate=Usage(input_tokens=10), key="work")
    clock.advance(seconds=599)

    ledger.grow(hold.id, 10)

    clock.advance(seconds=599)
    assert ledger.balance(account).held == 10


# ── Asking first ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("prompt", "most", "tokens"), [(10, 100, 30), (10, 20, 20), (100, 50, 0), (101, 50, 0)])
def test_the_output_that_can_be_paid_is_known_before_the_call(ledger, account, meter, prompt, most, tokens):
    found = ledger.max_affordable(account, model="unit", prompt=Usage(input_tokens=prompt), most=most)

    assert found == tokens


def test_an_explanation_names_the_lots_and_holds_nothing(ledger, account, meter):
    told = ledger.explain(account, model="unit", estimate=Usage(input_tokens=60))

    assert (told.is_granted, told.cost, told.available, [part for _, part in told.parts]) == (True, 60, 100, [60])
    assert ledger.balance(account).held == 0


def test_an_explanation_says_why_a_hold_would_be_refused(ledger, account, meter):
    told = ledger.explain(account, model="unit", estimate=Usage(input_tokens=101))

    assert (told.is_granted, told.parts, told.refusal.needed) == (False, (), 101)
