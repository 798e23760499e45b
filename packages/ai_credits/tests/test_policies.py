"""What no credit covers, what is taken back, and what goes to another account."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from roomtone_ai_credits import AiCredits, EntryKind, EventKind, Overrun, Usage, errors


@pytest.fixture
def funded(ledger, account):
    ledger.grant(None, account, amount=100, key="fund")
    return account


def overrun(ledger, account, **more):
    """A call three times as dear as its hold, with nothing left."""
    hold = ledger.hold(account, model="unit", estimate=Usage(input_tokens=100), key="turn")
    return ledger.settle(hold.id, Usage(input_tokens=300), **more)


# ── What no credit covers ────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("policy", "overdraft_max", "debt", "written_off"),
    [("debt", 0, 200, 0), ("write_off", 0, 0, 200), ("overdraft", 50, 50, 150), ("overdraft", 900, 200, 0)],
)
@pytest.mark.parametrize("is_said_at_once", [True, False])
def test_what_no_credit_covers_follows_the_policy_and_is_told(
    engine, card, clock, funded, ledger, policy, overdraft_max, debt, written_off, is_said_at_once
):
    default = Overrun.debt if is_said_at_once else Overrun(policy)
    mine = AiCredits(engine, rate_card=card, clock=clock, overrun=default, overdraft_max=overdraft_max)

    settled = overrun(mine, funded, **({"overrun": Overrun(policy)} if is_said_at_once else {}))

    assert (settled.charged, settled.debt, settled.written_off) == (300, debt, written_off)
    assert ledger.balance(funded).debt == debt
    (event,) = [event for event in ledger.events(10_000) if event.account == funded]
    assert (event.kind, event.data["debt"], event.data["written_off"]) == (EventKind.overrun, debt, written_off)
    assert (EntryKind.write_off in {entry.kind for entry in ledger.entries(funded)}) == bool(written_off)


def test_an_overdraft_counts_what_is_owed_already(engine, card, clock, funded):
    mine = AiCredits(engine, rate_card=card, clock=clock, overrun=Overrun.overdraft, overdraft_max=250)
    overrun(mine, funded)

    hold = mine.hold(funded, model="unit", estimate=Usage(), key="more")
    settled = mine.settle(hold.id, Usage(input_tokens=80))

    assert (settled.debt, settled.written_off, mine.balance(funded).debt) == (50, 30, 250)


@pytest.mark.parametrize("policy", list(Overrun))
def test_a_charge_put_back_returns_what_was_paid_and_owed_and_not_what_was_written_off(engine, card, clock, funded, policy):
    mine = AiCredits(engine, rate_card=card, clock=clock, overrun=policy, overdraft_max=50)
    overrun(mine, funded)

    mine.reverse(None, funded, key="turn", reason="empty", actor="support")

    assert (mine.balance(funded).available, mine.balance(funded).debt) == (100, 0)


def test_usage_nobody_reported_is_told(ledger, funded):
    hold = ledger.hold(funded, model="unit", estimate=Usage(input_tokens=30), key="turn")

    for _ in range(2):
        ledger.settle(hold.id, None)

    (event,) = [event for event in ledger.events(10_000) if event.account == funded]
    assert (event.kind, event.data) == (EventKind.unreported, {"hold_id": hold.id, "charged": 30})


# ── What is taken back ───────────────────────────────────────────────────────


@pytest.mark.parametrize(("is_owed", "debt"), [(False, 0), (True, 40)])
def test_a_disputed_pack_is_taken_back_once_and_nothing_else(ledger, funded, is_owed, debt):
    ledger.grant(None, funded, amount=500, key="pack", kind="pack", priority=1)
    ledger.charge(funded, model="unit", usage=Usage(input_tokens=40), key="work")

    answers = [ledger.claw_back(None, funded, key="pack", reason="dispute", actor="stripe", is_owed=is_owed) for _ in range(2)]

    assert [(answer.taken, answer.debt, answer.replayed) for answer in answers] == [(460, debt, False), (460, debt, True)]
    assert ledger.balance(funded).available == 100 - debt
    assert next(entry for entry in ledger.entries(funded) if entry.kind is EntryKind.clawback).reason == "dispute"


def test_what_a_hold_promises_of_a_pack_taken_back_is_gone_when_it_is_given_back(ledger, account):
    ledger.grant(None, account, amount=500, key="pack", kind="pack")
    hold = ledger.hold(account, model="unit", estimate=Usage(input_tokens=200), key="turn")
    ledger.claw_back(None, account, key="pack", reason="dispute", actor="stripe")
    during = ledger.balance(account)

    settled = ledger.settle(hold.id, Usage(input_tokens=50))

    assert (during.available, during.held, settled.debt) == (0, 200, 0)
    assert (ledger.balance(account).available, ledger.balance(account).held) == (0, 0)


def test_nothing_is_owed_for_a_grant_that_has_expired(ledger, funded, clock):
    ledger.grant(None, funded, amount=500, key="pack", kind="pack", expires_at=clock.now + timedelta(days=1))
    clock.advance(days=2)

    answer = ledger.claw_back(None, funded, key="pack", reason="dispute", actor="stripe", is_owed=True)

    assert (answer.taken, answer.debt, ledger.balance(funded).available) == (0, 0, 100)


def test_a_grant_nobody_made_cannot_be_taken_back(ledger, funded):
    with pytest.raises(errors.UnknownGrant):
        ledger.claw_back(None, funded, key="none", reason="dispute", actor="stripe")


# ── What goes to another account ─────────────────────────────────────────────


@pytest.fixture
def other(ledger, account):
    name = f"{account}-other"
    yield name
    ledger.verify(name)


def test_credit_that_is_handed_on_keeps_its_end_and_its_cost(ledger, account, other, clock):
    ends_at = clock.now + timedelta(days=3)
    ledger.grant(None, account, amount=100, key="pack", kind="pack", cost_minor=1000, currency="EUR", expires_at=ends_at)

    give = {"amount": 25, "key": "move", "reason": "reorganised", "actor": "ops"}
    moved = [ledger.transfer(None, account, other, **give) for _ in range(2)]

    assert [grant.replayed for grant in moved] == [False, True]
    (lot,) = ledger.balance(other).lots
    assert (lot.remaining, lot.expires_at, lot.cost_minor, lot.currency) == (25, ends_at, 250, "EUR")
    assert ledger.balance(account).available == 75
    clock.advance(days=3)
    assert ledger.balance(other).available == 0


def test_more_than_there_is_is_not_handed_on(ledger, funded, other):
    with pytest.raises(errors.InsufficientCredits):
        ledger.transfer(None, funded, other, amount=101, key="move", reason="r", actor="a")

    assert (ledger.balance(funded).available, ledger.balance(other).available) == (100, 0)


def test_nothing_is_handed_on_to_itself_or_half(ledger, funded, other, transaction):
    with pytest.raises(errors.BadInput):
        ledger.transfer(None, funded, funded, amount=1, key="move", reason="r", actor="a")
    with transaction() as session:
        ledger.transfer(session, funded, other, amount=30, key="undone", reason="r", actor="a")
        session.rollback()

    assert (ledger.balance(funded).available, ledger.balance(other).available) == (100, 0)


def test_transfers_to_and_fro_at_once_neither_lock_up_nor_lose_anything(ledger, funded, other):
    ledger.grant(None, other, amount=100, key="fund")

    def move(number):
        pair = (funded, other) if number % 2 else (other, funded)
        return ledger.transfer(None, *pair, amount=3, key=f"move {number}", reason="r", actor="a").amount

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(move, range(40))) == 120

    assert ledger.balance(funded).available + ledger.balance(other).available == 200


def test_a_part_of_a_payment_takes_back_its_part_once_and_leaves_the_rest(ledger, account):
    ledger.grant(None, account, amount=100, key="pack", kind="pack", cost_minor=200, currency="EUR")
    ledger.charge(account, model="unit", usage=Usage(input_tokens=30), key="used")

    taken = [
        ledger.claw_back(None, account, key="pack", amount=50, part=part, reason="refund", actor="stripe").taken
        for part in ("first", "first", "second", "third")
    ]

    assert taken == [50, 50, 20, 0]
    assert ledger.balance(account).available == 0


def test_what_was_used_of_a_part_may_be_owed(ledger, account):
    ledger.grant(None, account, amount=100, key="pack", kind="pack")
    ledger.charge(account, model="unit", usage=Usage(input_tokens=70), key="used")

    answer = ledger.claw_back(None, account, key="pack", amount=50, part="first", is_owed=True, reason="refund", actor="stripe")

    assert (answer.taken, answer.debt) == (30, 20)


@pytest.mark.parametrize("wrong", [{"amount": 5}, {"part": "first"}])
def test_a_part_is_an_amount_with_a_name(ledger, account, wrong):
    with pytest.raises(errors.BadInput):
        ledger.claw_back(None, account, key="pack", reason="refund", actor="stripe", **wrong)
