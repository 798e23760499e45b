"""Holds that take less than they asked for, and holds inside holds."""

import pytest

from roomtone_ai_credits import HoldState, Usage, errors


@pytest.fixture
def funded(ledger, account):
    ledger.grant(None, account, amount=100, key="fund")
    return account


@pytest.fixture
def hold(ledger, funded):
    return lambda tokens, key, **more: ledger.hold(funded, model="unit", estimate=Usage(input_tokens=tokens), key=key, **more)


def now(ledger, account):
    balance = ledger.balance(account)
    return balance.available, balance.held


def test_a_hold_that_may_be_less_takes_what_there_is_and_says_how_much_that_buys(ledger, funded, hold):
    estimate, least = Usage(input_tokens=40, output_tokens=50), Usage(input_tokens=40, output_tokens=1)

    held = ledger.hold(funded, model="unit", estimate=estimate, key="turn", at_least=least)

    assert (held.amount, held.affordable(Usage(input_tokens=40), most=50)) == (100, 20)
    with pytest.raises(errors.InsufficientCredits) as refusal:
        ledger.hold(funded, model="unit", estimate=estimate, key="next", at_least=least)
    assert refusal.value.needed == 43


def test_a_hold_that_may_be_less_takes_what_a_limit_leaves(ledger, funded, hold):
    ledger.set_limit(None, funded, "seat", scope="user", amount=30, key="each")

    assert hold(90, "turn", at_least=Usage(input_tokens=5), user="ada").amount == 30
    with pytest.raises(errors.LimitReached):
        hold(90, "next", at_least=Usage(input_tokens=5), user="ada")


def test_calls_of_a_run_take_from_its_hold_and_give_back_to_it(ledger, funded, hold):
    run = hold(80, "run")
    call = hold(50, "call 1", parent=run.id)
    during = now(ledger, funded)
    ledger.settle(call.id, Usage(input_tokens=20))
    after = now(ledger, funded)
    rest = ledger.release(run.id)

    assert (during, after) == ((20, 80), (20, 60))
    assert (rest.state, now(ledger, funded)) == (HoldState.released, (80, 0))


def test_a_run_can_spend_what_it_holds_and_no_more(ledger, funded, hold):
    run = hold(80, "run")
    hold(80, "all of it", parent=run.id)

    with pytest.raises(errors.InsufficientCredits) as refusal:
        hold(1, "one more", parent=run.id)

    assert refusal.value.available == 0


def test_a_call_above_its_hold_is_paid_by_its_run_first(ledger, funded, hold):
    run = hold(80, "run")
    call = hold(10, "call", parent=run.id)

    ledger.settle(call.id, Usage(input_tokens=60))

    assert now(ledger, funded) == (20, 20)


def test_a_run_that_has_ended_pays_for_no_more_calls_and_leaves_those_under_way(ledger, funded, hold):
    run = hold(80, "run")
    call = hold(50, "call", parent=run.id)
    ledger.release(run.id)

    with pytest.raises(errors.InsufficientCredits):
        hold(1, "late", parent=run.id)

    assert now(ledger, funded) == (50, 50)
    ledger.settle(call.id, Usage(input_tokens=10))
    assert now(ledger, funded) == (90, 0)


def test_a_call_that_expires_gives_back_to_its_run_and_the_run_to_all(ledger, funded, hold, clock):
    run = hold(80, "run", ttl_s=1000)
    hold(50, "call", parent=run.id, ttl_s=100)

    clock.advance(seconds=100)
    between = now(ledger, funded)
    whole = hold(80, "call again", parent=run.id, ttl_s=5000)
    clock.advance(seconds=900)
    during = now(ledger, funded)
    clock.advance(seconds=4100)

    assert (between, whole.amount, during, now(ledger, funded)) == ((20, 80), 80, (20, 80), (100, 0))


def test_calls_inside_calls_give_back_one_by_one(ledger, funded, hold):
    run = hold(90, "run")
    call = hold(60, "call", parent=run.id)
    tool = hold(30, "tool", parent=call.id)

    ledger.settle(tool.id, Usage(input_tokens=10))
    ledger.settle(call.id, Usage(input_tokens=5))
    ledger.release(run.id)

    assert now(ledger, funded) == (85, 0)


def test_a_limit_counts_what_a_run_and_its_calls_promise_once(ledger, funded, hold):
    ledger.set_limit(None, funded, "seat", scope="user", amount=80, key="each")
    run = hold(80, "run", user="ada")

    call = hold(50, "call", parent=run.id, user="ada")
    ledger.settle(call.id, Usage(input_tokens=40))

    told = ledger.explain(funded, model="unit", estimate=Usage(), user="ada")
    assert [left for _, left in told.limits] == [0]
    ledger.release(run.id)
    told = ledger.explain(funded, model="unit", estimate=Usage(), user="ada")
    assert [left for _, left in told.limits] == [40]


def test_nobody_takes_from_a_hold_of_another_account(ledger, funded, hold):
    run = hold(80, "run")
    other = f"{funded}-other"

    with pytest.raises(errors.UnknownHold):
        ledger.hold(other, model="unit", estimate=Usage(), key="call", parent=run.id)


def test_a_meter_takes_from_a_run(ledger, funded, hold):
    run = hold(80, "run")

    with ledger.meter(funded, model="unit", estimate=Usage(input_tokens=30), key="call", parent=run.id) as call:
        call.settle(Usage(input_tokens=25))

    assert now(ledger, funded) == (20, 55)


@pytest.mark.parametrize("other", [{"parent": "another"}, {"at_least": Usage(input_tokens=1)}, {"parent": None}])
def test_a_key_used_again_with_another_parent_or_least_is_another_request(ledger, account, other):
    ledger.grant(None, account, amount=100, key="fund")
    run = ledger.hold(account, model="unit", estimate=Usage(input_tokens=50), key="run")
    asked = {"model": "unit", "estimate": Usage(input_tokens=10), "key": "call", "parent": run.id}
    ledger.hold(account, **asked)
    if other.get("parent") == "another":
        other = {"parent": ledger.hold(account, model="unit", estimate=Usage(input_tokens=20), key="another").id}

    with pytest.raises(errors.IdempotencyConflict):
        ledger.hold(account, **{**asked, **other})
    again = ledger.hold(account, **asked)

    assert again.parent_id == run.id
