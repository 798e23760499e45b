"""What the facade promises, on both databases."""

from datetime import UTC, datetime, timedelta

import pytest

from roomtone_ai_credits import AiCredits, EntryKind, LotKind, Usage, errors

ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def give(ledger, account, transaction):
    def give(amount, key="given", **options):
        with transaction() as session:
            return ledger.grant(session, account, amount=amount, key=key, **options)

    return give


@pytest.fixture
def allow(ledger, account, transaction):
    def allow(amount, *, key, anchor_at=ANCHOR, **options):
        with transaction() as session:
            ledger.set_allowance(session, account, amount=amount, anchor_at=anchor_at, key=key, **options)

    return allow


def available(ledger, account):
    return ledger.balance(account).available


def tokens(count):
    return Usage(input_tokens=count)


# ── Credits in ────────────────────────────────────────────────────────────────


def test_an_account_nobody_gave_anything_has_nothing(ledger, account):
    balance = ledger.balance(account)

    assert (balance.available, balance.held, balance.lots) == (0, 0, ())


def test_a_grant_is_there_to_spend(ledger, account, give):
    given = give(100, reason="welcome")

    assert (given.amount, given.replayed, available(ledger, account)) == (100, False, 100)


def test_the_same_grant_is_given_once(ledger, account, give):
    give(100)

    again = give(100)

    assert (again.amount, again.replayed, available(ledger, account)) == (100, True, 100)


def test_a_key_stands_for_one_amount(account, give):
    give(100)

    with pytest.raises(errors.IdempotencyConflict) as conflict:
        give(101)

    assert (conflict.value.account, conflict.value.key) == (account, "grant:given")


def test_a_grant_in_a_transaction_rolled_back_was_never_given(ledger, account, transaction):
    def host():
        with transaction() as session:
            ledger.grant(session, account, amount=100, key="k")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        host()

    assert available(ledger, account) == 0


@pytest.mark.parametrize("amount", [0, -5, True, 1.0, "5"])
def test_dust_and_nonsense_are_never_given(give, amount):
    with pytest.raises(errors.BadAmount):
        give(amount)


@pytest.mark.parametrize("options", [{"key": ""}, {"key": "k" * 201}, {"kind": "allowance"}, {"expires_at": datetime(2030, 1, 1)}])  # noqa: DTZ001
def test_a_malformed_grant_is_refused(give, options):
    with pytest.raises(errors.BadInput):
        give(**{"amount": 1, **options})


def test_what_was_given_is_burnt_before_what_was_bought_and_the_soonest_to_expire_first(ledger, account, give, clock):
    give(10, key="pack", kind="pack", expires_at=clock.now + timedelta(days=1))
    give(10, key="late", expires_at=clock.now + timedelta(days=9))
    give(10, key="soon", expires_at=clock.now + timedelta(days=5))
    give(10, key="ever")

    ledger.settle(ledger.hold(account, model="unit", estimate=tokens(25), key="work").id, tokens(25))

    assert [(lot.kind, lot.remaining) for lot in ledger.balance(account).lots] == [(LotKind.promotion, 5), (LotKind.pack, 10)]


@pytest.mark.parametrize(("later", "left"), [(-1, 100), (0, 0), (1, 0)])
def test_a_lot_is_dead_from_the_instant_it_expires_without_a_sweep(ledger, account, give, clock, later, left):
    give(100, expires_at=clock.now + timedelta(days=1))
    clock.advance(days=1, microseconds=later)

    balance = ledger.balance(account)

    assert balance.available == left
    if not left:
        with pytest.raises(errors.InsufficientCredits):
            ledger.hold(account, model="unit", estimate=tokens(1), key="work")


def test_an_adjustment_says_who_and_why(ledger, account, give, transaction):
    give(100)

    with transaction() as session:
        ledger.adjust(session, account, amount=-30, key="fix", reason="counted twice", actor="ada")

    entry = ledger.entries(account)[0]
    assert (entry.kind, entry.amount, entry.balance_after, entry.reason) == (EntryKind.adjustment, -30, 70, "counted twice")


def test_an_adjustment_takes_no_more_than_is_available(ledger, account, give, transaction):
    give(100)
    ledger.hold(account, model="unit", estimate=tokens(80), key="work")

    with transaction() as session, pytest.raises(errors.InsufficientCredits):
        ledger.adjust(session, account, amount=-30, key="fix", reason="r", actor="a")

    assert available(ledger, account) == 20


def test_an_adjustment_is_made_once(ledger, account, transaction):
    for _ in range(2):
        with transaction() as session:
            ledger.adjust(session, account, amount=30, key="fix", reason="r", actor="a")

    assert available(ledger, account) == 30


# ── Monthly allowances ────────────────────────────────────────────────────────


def test_an_allowance_comes_each_month_and_dies_with_it(ledger, account, allow, clock):
    allow(50, key="start")
    ledger.settle(ledger.hold(account, model="unit", estimate=tokens(20), key="work").id, tokens(20))
    before = ledger.balance(account)

    clock.advance(days=31)

    after = ledger.balance(account)
    assert (before.available, before.granted_this_period, before.next_grant_at) == (30, 50, datetime(2026, 2, 1, tzinfo=UTC))
    assert (after.available, after.granted_this_period, after.next_grant_at) == (50, 50, datetime(2026, 3, 1, tzinfo=UTC))


@pytest.mark.parametrize("visits", [[365], [31] * 12, [1] * 365])
def test_a_year_of_allowances_is_the_same_however_often_one_looks(ledger, account, allow, clock, visits):
    allow(50, key="start", anchor_at=datetime(2025, 12, 31, tzinfo=UTC))

    for days in visits:
        clock.advance(days=days)
        ledger.balance(account)

    grants = [entry.at for entry in ledger.entries(account, limit=100) if entry.kind is EntryKind.grant]
    ends = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    due = [datetime(2026, month, day, tzinfo=UTC) for month, day in enumerate(ends, 1)]
    assert sorted(grants) == [datetime(2026, 1, 1, tzinfo=UTC), *(at for at in due if at <= clock.now)]
    assert available(ledger, account) == 50


def test_months_that_ended_before_the_allowance_was_set_are_not_made_up_for(ledger, account, allow):
    allow(50, key="start", anchor_at=datetime(2024, 1, 1, tzinfo=UTC))

    assert available(ledger, account) == 50


def test_nothing_is_granted_before_the_anchor(ledger, account, allow, clock):
    allow(50, key="start", anchor_at=clock.now + timedelta(days=3))
    before = available(ledger, account)

    clock.advance(days=3)

    assert (before, available(ledger, account)) == (0, 50)


def test_an_allowance_set_twice_is_granted_once(ledger, account, allow):
    for key in ("webhook", "webhook", "webhook again"):
        allow(50, key=key)

    assert available(ledger, account) == 50


def test_a_dearer_plan_within_the_month_grants_the_difference_and_a_cheaper_one_takes_nothing(ledger, account, allow):
    seen = []
    for key, amount in enumerate([50, 500, 50, 500]):
        allow(amount, key=f"change {key}")
        seen.append(available(ledger, account))

    assert seen == [50, 500, 500, 500]


def test_a_new_anchor_ends_the_old_allowance_with_its_unused_credit(ledger, account, allow, clock):
    allow(50, key="trial")
    clock.advance(days=14)

    allow(500, key="paid", anchor_at=clock.now)

    balance = ledger.balance(account)
    assert (balance.available, balance.next_grant_at) == (500, datetime(2026, 2, 15, tzinfo=UTC))


def test_a_renewal_that_names_its_own_start_as_the_anchor_grants_the_month_once(ledger, account, allow, clock):
    allow(50, key="start", anchor_at=datetime(2025, 12, 31, tzinfo=UTC))
    clock.now = datetime(2026, 2, 28, 6, tzinfo=UTC)
    ledger.settle(ledger.hold(account, model="unit", estimate=tokens(20), key="work").id, tokens(20))

    allow(50, key="renewed", anchor_at=datetime(2026, 2, 28, tzinfo=UTC))

    balance = ledger.balance(account)
    assert (balance.available, balance.next_grant_at) == (30, datetime(2026, 3, 28, tzinfo=UTC))


def test_going_back_to_an_anchor_grants_no_month_twice(ledger, account, allow, clock):
    allow(50, key="a")
    ledger.settle(ledger.hold(account, model="unit", estimate=tokens(50), key="work").id, tokens(50))
    allow(50, key="b", anchor_at=clock.now - timedelta(days=1))

    allow(50, key="a again")

    assert available(ledger, account) == 0


def test_an_allowance_ended_and_set_again_gives_back_what_was_unused(ledger, account, allow, transaction):
    allow(50, key="start")
    ledger.settle(ledger.hold(account, model="unit", estimate=tokens(20), key="work").id, tokens(20))
    with transaction() as session:
        ledger.end_allowance(session, account, key="unpaid")
    ended = available(ledger, account)

    allow(50, key="paid")

    assert (ended, available(ledger, account)) == (0, 30)


def test_an_ended_allowance_grants_no_further_month(ledger, account, allow, transaction, clock):
    allow(50, key="start")
    for _ in range(2):
        with transaction() as session:
            ledger.end_allowance(session, account, key="end")

    clock.advance(days=90)

    assert (available(ledger, account), ledger.balance(account).next_grant_at) == (0, None)


def test_an_allowance_with_an_end_dies_there_and_grants_nothing_after(ledger, account, allow, clock):
    allow(50, key="paid", ends_at=ANCHOR + timedelta(days=14))
    before = ledger.balance(account)

    clock.now = ANCHOR + timedelta(days=14)

    after = ledger.balance(account)
    assert (before.available, before.next_grant_at) == (50, None)
    assert (after.available, after.next_grant_at) == (0, None)


def test_a_later_end_goes_on_from_there(ledger, account, allow, clock):
    month = datetime(ANCHOR.year, ANCHOR.month + 1, ANCHOR.day, tzinfo=UTC)
    allow(50, key="first", ends_at=month)
    ledger.settle(ledger.hold(account, model="unit", estimate=tokens(20), key="work").id, tokens(20))

    allow(50, key="second", ends_at=month + timedelta(days=300))

    same_month = available(ledger, account)
    clock.now = month
    assert (same_month, available(ledger, account)) == (30, 50)


def test_a_paid_period_that_is_set_late_grants_its_credit_once(ledger, account, allow, clock):
    month = datetime(ANCHOR.year, ANCHOR.month + 1, ANCHOR.day, tzinfo=UTC)
    allow(50, key="first", ends_at=month)
    clock.now = month + timedelta(days=3)
    unpaid = available(ledger, account)

    allow(50, key="renewed", anchor_at=month, ends_at=month + timedelta(days=28))
    allow(50, key="renewed", anchor_at=month, ends_at=month + timedelta(days=28))

    assert (unpaid, available(ledger, account)) == (0, 50)


def test_a_period_that_is_over_when_it_is_set_grants_nothing(ledger, account, allow, clock):
    clock.now = ANCHOR + timedelta(days=40)

    allow(50, key="late", ends_at=ANCHOR + timedelta(days=30))

    assert available(ledger, account) == 0


def test_ending_an_allowance_leaves_what_was_bought(ledger, account, allow, give, transaction):
    allow(50, key="start")
    give(20, kind="pack")

    with transaction() as session:
        ledger.end_allowance(session, account, key="end")

    assert available(ledger, account) == 20


@pytest.mark.parametrize("options", [{"timezone": "Mars/Olympus"}, {"anchor_at": datetime(2026, 1, 1)}, {"rule": ""}, {"ends_at": ANCHOR}])  # noqa: DTZ001
def test_a_malformed_allowance_is_refused(allow, options):
    with pytest.raises(errors.BadInput):
        allow(50, key="k", **options)


# ── Credits out ───────────────────────────────────────────────────────────────


def test_a_refusal_says_what_is_missing_and_when_credits_return(ledger, account, allow):
    allow(50, key="start")

    with pytest.raises(errors.InsufficientCredits) as refusal:
        ledger.hold(account, model="unit", estimate=tokens(51), key="work")

    facts = refusal.value
    assert (facts.account, facts.needed, facts.available, facts.next_grant_at) == (account, 51, 50, datetime(2026, 2, 1, tzinfo=UTC))


def test_a_hold_promises_and_a_settlement_takes_what_was_used(ledger, account, give):
    give(100)
    hold = ledger.hold(account, model="unit", estimate=tokens(60), key="work", user="u", feature="chat")
    during = ledger.balance(account)

    settlement = ledger.settle(hold.id, tokens(25))

    after = ledger.balance(account)
    assert (during.available, during.held) == (40, 60)
    assert (settlement.charged, settlement.is_late, after.available, after.held) == (25, False, 75, 0)
    entry = ledger.entries(account)[0]
    assert (entry.amount, entry.model, entry.user, entry.feature) == (-25, "unit", "u", "chat")


def test_the_same_key_holds_once(ledger, account, give):
    give(100)

    holds = [ledger.hold(account, model="unit", estimate=tokens(60), key="work").id for _ in range(3)]

    assert (len(set(holds)), available(ledger, account)) == (1, 40)


def test_a_key_holds_for_one_request(ledger, account, give):
    give(100)
    ledger.hold(account, model="unit", estimate=tokens(60), key="work")

    with pytest.raises(errors.IdempotencyConflict):
        ledger.hold(account, model="unit", estimate=tokens(61), key="work")


def test_a_release_gives_everything_back_once(ledger, account, give):
    give(100)
    hold = ledger.hold(account, model="unit", estimate=tokens(60), key="work")

    states = [ledger.release(hold.id).state for _ in range(3)]

    assert (states, available(ledger, account)) == (["released"] * 3, 100)


def test_a_settled_hold_cannot_be_released(ledger, account, give):
    give(100)
    hold = ledger.hold(account, model="unit", estimate=tokens(60), key="work")
    ledger.settle(hold.id, tokens(60))

    assert (ledger.release(hold.id).state, available(ledger, account)) == ("settled", 40)


@pytest.mark.parametrize("again", [60, 0, 99])
def test_the_first_settlement_is_final(ledger, account, give, again):
    give(100)
    hold = ledger.hold(account, model="unit", estimate=tokens(60), key="work")
    ledger.settle(hold.id, tokens(60))

    replay = ledger.settle(hold.id, tokens(again))

    assert (replay.charged, replay.replayed, available(ledger, account)) == (60, True, 40)


def test_work_settled_after_a_release_is_still_charged(ledger, account, give):
    give(100)
    hold = ledger.hold(account, model="unit", estimate=tokens(60), key="work")
    ledger.release(hold.id)

    settlement = ledger.settle(hold.id, tokens(60))

    assert (settlement.charged, settlement.is_late, available(ledger, account)) == (60, True, 40)


@pytest.mark.parametrize("is_swept", [True, False])
def test_work_settled_after_its_hold_expired_is_still_charged(ledger, account, give, clock, is_swept):
    give(100)
    hold = ledger.hold(account, model="unit", estimate=tokens(60), key="work", ttl_s=30)
    clock.advance(seconds=30)
    if is_swept:
        ledger.sweep()
    between = available(ledger, account)

    settlement = ledger.settle(hold.id, tokens(60))

    assert (between, settlement.charged, settlement.is_late, available(ledger, account)) == (100, 60, True, 40)


def test_work_above_its_hold_is_paid_by_what_else_there_is_and_then_becomes_debt(ledger, account, give):
    give(100)
    hold = ledger.hold(account, model="unit", estimate=tokens(60), key="work")

    settlement = ledger.settle(hold.id, tokens(130))

    balance = ledger.balance(account)
    assert (settlement.charged, settlement.debt, balance.available, balance.debt) == (130, 30, -30, 30)


def test_work_above_its_hold_leaves_what_other_holds_promise(ledger, account, give):
    give(100)
    other = ledger.hold(account, model="unit", estimate=tokens(40), key="other")
    hold = ledger.hold(account, model="unit", estimate=tokens(60), key="work")
    ledger.settle(hold.id, tokens(90))

    settlement = ledger.settle(other.id, tokens(40))

    assert (settlement.debt, ledger.balance(account).debt) == (0, 30)


def test_debt_is_paid_by_the_next_credits_that_come_in_or_come_free(ledger, account, give):
    give(100)
    other = ledger.hold(account, model="unit", estimate=tokens(40), key="other")
    ledger.settle(ledger.hold(account, model="unit", estimate=tokens(60), key="work").id, tokens(120))
    ledger.release(other.id)
    freed = ledger.balance(account)

    give(50, key="more")

    assert (freed.debt, freed.available) == (20, -20)
    assert (ledger.balance(account).debt, available(ledger, account)) == (0, 30)


def test_credit_promised_to_a_hold_outlives_its_lot_and_the_rest_of_it_does_not(ledger, account, give, clock):
    give(100, expires_at=clock.now + timedelta(seconds=10))
    hold = ledger.hold(account, model="unit", estimate=tokens(60), key="work")
    clock.advance(seconds=20)
    during = ledger.balance(account)

    settlement = ledger.settle(hold.id, tokens(25))

    assert (during.available, during.held) == (0, 60)
    assert (settlement.debt, available(ledger, account)) == (0, 0)


def test_a_hold_that_was_released_holds_again_under_its_key(ledger, account, give):
    give(100)
    first = ledger.hold(account, model="unit", estimate=tokens(60), key="work")
    ledger.release(first.id)

    second = ledger.hold(account, model="unit", estimate=tokens(60), key="work")

    assert (second.id, second.state, available(ledger, account)) == (first.id, "open", 40)


def test_a_hold_keeps_the_price_it_was_made_at(ledger, account, give):
    give(100)
    hold = ledger.hold(account, model="unit", estimate=tokens(10), key="work")
    ledger.rate_card = ledger.rate_card.model_copy(update={"version": "2027", "models": ()})

    assert ledger.settle(hold.id, tokens(10)).charged == 10


def test_free_work_is_held_even_with_nothing_left(ledger, account):
    hold = ledger.hold(account, model="unit", estimate=tokens(0), key="work")

    assert ledger.settle(hold.id, tokens(0)).charged == 0


def test_an_account_has_a_bounded_number_of_open_holds(engine, card, clock, account, give):
    give(1000)
    ledger = AiCredits(engine, rate_card=card, clock=clock, open_holds_max=3)
    for number in range(3):
        ledger.hold(account, model="unit", estimate=tokens(1), key=f"work {number}")

    with pytest.raises(errors.TooManyHolds) as refusal:
        ledger.hold(account, model="unit", estimate=tokens(1), key="one more")

    assert refusal.value.limit == 3


def test_a_hold_nobody_made_is_unknown(ledger):
    with pytest.raises(errors.UnknownHold):
        ledger.settle("no such hold", tokens(1))


# ── Reversal ──────────────────────────────────────────────────────────────────


def test_a_reversal_restores_the_very_lots_once(ledger, account, give, transaction, clock):
    give(10, key="soon", expires_at=clock.now + timedelta(days=5))
    give(10, key="pack", kind="pack")
    before = ledger.balance(account).lots
    ledger.settle(ledger.hold(account, model="unit", estimate=tokens(15), key="work").id, tokens(15))

    for _ in range(2):
        with transaction() as session:
            ledger.reverse(session, account, key="work", reason="bad answer", actor="ada")

    assert ledger.balance(account).lots == before


def test_credit_reversed_into_a_lot_that_died_expires_at_once(ledger, account, give, transaction, clock):
    give(10, expires_at=clock.now + timedelta(days=5))
    ledger.settle(ledger.hold(account, model="unit", estimate=tokens(10), key="work").id, tokens(10))
    clock.advance(days=6)

    with transaction() as session:
        ledger.reverse(session, account, key="work", reason="r", actor="a")

    assert available(ledger, account) == 0


@pytest.mark.parametrize("is_repaid", [True, False])
def test_a_reversed_debt_is_no_longer_owed(ledger, account, give, transaction, is_repaid):
    give(10)
    ledger.settle(ledger.hold(account, model="unit", estimate=tokens(10), key="work").id, tokens(30))
    if is_repaid:
        give(20, key="more")

    with transaction() as session:
        ledger.reverse(session, account, key="work", reason="r", actor="a")

    balance = ledger.balance(account)
    assert (balance.debt, balance.available) == (0, 30 if is_repaid else 10)


def test_only_a_charge_can_be_reversed(ledger, account, transaction):
    with transaction() as session, pytest.raises(errors.UnknownCharge) as refusal:
        ledger.reverse(session, account, key="never", reason="r", actor="a")

    assert refusal.value.key == "never"


# ── Reading ───────────────────────────────────────────────────────────────────


def test_a_balance_is_one_query_when_nothing_is_due(ledger, account, allow, engine, statements):
    allow(50, key="start")
    statements.clear()

    ledger.balance(account)

    assert len(statements) == 1


def test_a_balance_sees_what_its_transaction_has_done(ledger, account, transaction):
    with transaction() as session:
        ledger.grant(session, account, amount=5, key="k")

        assert ledger.balance(account, session).available == 5


def test_entries_come_newest_first_and_bounded(ledger, account, give):
    for number in range(1, 5):
        give(number, key=f"k{number}")

    assert [entry.amount for entry in ledger.entries(account, limit=3)] == [4, 3, 2]


def test_a_clock_that_goes_back_takes_nothing_back(ledger, account, give, clock):
    give(100, expires_at=clock.now + timedelta(days=1))
    clock.advance(days=2)
    ledger.balance(account)

    clock.advance(days=-2)

    assert available(ledger, account) == 0


@pytest.mark.parametrize("ttl_s", [0, -1, True])
def test_every_hold_ends(ledger, account, give, ttl_s):
    give(100)

    with pytest.raises(errors.BadInput):
        ledger.hold(account, model="unit", estimate=tokens(1), key="work", ttl_s=ttl_s)
