"""What went wrong in other ledgers and is tested nowhere else; docs/ai-credits/pitfalls.md lists them all."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

from roomtone_ai_credits import AiCredits, EntryKind, LotKind, Usage, amount, errors, models, read_usage
from roomtone_ai_credits.ledger import POINTS
from roomtone_ai_credits.page import Needs
from roomtone_ai_credits.testing import Crash, FakeModel, FrozenClock, crash_at

PARIS = ZoneInfo("Europe/Paris")
WORKER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from sqlalchemy import create_engine
from roomtone_ai_credits import AiCredits, ModelRate, RateCard, Usage, errors

url, account, name = sys.argv[1:]
lock = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}
card = RateCard(version="1", models=(ModelRate(pattern="unit", input_nano=1_000),))
credits = AiCredits(create_engine(url, pool_size=16, **lock), rate_card=card, lock_timeout_s=60)

def work(number):
    tokens = 1 + number % 7
    try:
        return credits.charge(account, model="unit", usage=Usage(input_tokens=tokens), key=f"{name} {number}").charged
    except errors.InsufficientCredits as refusal:
        assert refusal.needed > refusal.available
        return 0

with ThreadPoolExecutor(16) as pool:
    print(sum(pool.map(work, range(48))))
"""


@pytest.fixture
def funded(ledger, account):
    ledger.grant(None, account, amount=100, key="fund")
    return account


def hold(ledger, account, tokens, key, **more):
    return ledger.hold(account, model="unit", estimate=Usage(input_tokens=tokens), key=key, **more)


def crashed(ledger, point, act):
    """Let the process die at a point of its transaction."""
    with pytest.raises(Crash), crash_at(ledger, point):
        act()


# 1
def test_four_processes_of_sixteen_threads_never_spend_more_than_there_is(engine, ledger, account):
    ledger.grant(None, account, amount=300, key="fund")
    command = [sys.executable, "-c", WORKER, engine.url.render_as_string(hide_password=False), account]

    workers = [subprocess.Popen([*command, str(n)], stdout=subprocess.PIPE, text=True) for n in range(4)]
    spent = [int(worker.communicate()[0]) for worker in workers]

    assert sum(spent) + AiCredits(engine, rate_card=ledger.rate_card).balance(account).available == 300
    assert sum(spent) >= 294


# 2
def test_holds_nobody_ends_give_everything_back(ledger, funded, clock):
    for number in range(100):
        hold(ledger, funded, 1, f"turn {number}")
    assert ledger.balance(funded).available == 0

    clock.advance(seconds=600)

    assert (ledger.balance(funded).available, ledger.balance(funded).held) == (100, 0)


# 4
def test_a_settlement_whose_answer_was_lost_stands_whatever_is_tried_after_it(ledger, funded):
    held = hold(ledger, funded, 60, "turn")
    crashed(ledger, "committed", lambda: ledger.settle(held.id, Usage(input_tokens=25)))

    answers = [ledger.settle(held.id, Usage(input_tokens=tokens)) for tokens in (25, 0, 60)]
    ledger.release(held.id)

    assert [(answer.charged, answer.replayed) for answer in answers] == [(25, True)] * 3
    assert ledger.balance(funded).available == 75


# 8
@pytest.mark.parametrize("problem", [GeneratorExit, KeyboardInterrupt, TimeoutError])
@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_stream_cut_at_any_chunk_is_charged_once_for_what_came_and_what_went_in(ledger, funded, problem, after):
    model = FakeModel(usage=Usage(input_tokens=20, output_tokens=8), fails_after=after, problem=problem)

    def turn():
        with ledger.meter(funded, model="unit", estimate=Usage(input_tokens=20, output_tokens=8), key="turn") as call:
            for used in model.stream():
                call.observe(used)

    with pytest.raises(problem):
        turn()

    charges = [-entry.amount for entry in ledger.entries(funded) if entry.kind is EntryKind.charge]
    assert charges == [20 + 3 * 2 * after]


# 9
def test_a_model_that_reports_nothing_is_charged_as_estimated(ledger, funded):
    with ledger.meter(funded, model="unit", estimate=Usage(input_tokens=30), key="turn") as call:
        *_, last = FakeModel(usage=None).stream()
        call.settle(read_usage(last))

    assert call.charged == 30


# 12
def test_a_sweep_beside_debits_shrinks_the_expired_lot_alone(ledger, account, clock):
    ledger.grant(None, account, amount=1000, key="pack", kind="pack")
    ledger.grant(None, account, amount=70, key="short", expires_at=clock.now + timedelta(days=1))
    clock.advance(days=1)

    with ThreadPoolExecutor(8) as pool:
        works = [pool.submit(ledger.charge, account, model="unit", usage=Usage(input_tokens=5), key=f"work {n}") for n in range(20)]
        sweeps = [pool.submit(ledger.sweep) for _ in range(4)]
        assert all(work.result() for work in works)
        assert all(sweep.result() >= 0 for sweep in sweeps)

    assert [(lot.kind, lot.remaining) for lot in ledger.balance(account).lots] == [(LotKind.pack, 900)]
    assert [entry.amount for entry in ledger.entries(account, limit=99) if entry.kind is EntryKind.expiry] == [-70]


# 14
def test_ten_years_of_months_triggered_late_early_again_and_at_once_are_granted_once_each(engine, card, account):
    clock = FrozenClock()
    ledger = AiCredits(engine, rate_card=card, clock=clock, lock_timeout_s=60)
    anchors = {f"{account}-{day}": datetime(2026, 1, day, 2, 30, tzinfo=PARIS).astimezone(UTC) for day in range(28, 32)}

    def renew(number):
        name = list(anchors)[number % 4]
        wanted = {"amount": 50, "anchor_at": anchors[name], "timezone": "Europe/Paris"}
        ledger.set_allowance(None, name, key=f"renewal {clock.now} {number % 8}", **wanted)

    with ThreadPoolExecutor(4) as pool:
        for month in range(120):
            start = datetime(2026 + month // 12, month % 12 + 1, 1, tzinfo=UTC)
            clock.now = start + timedelta(days=(26, 27, 29)[month % 3])  # early, late, or in between
            list(pool.map(renew, range(8)))
        clock.now = datetime(2036, 1, 15, tzinfo=UTC)
        list(pool.map(renew, range(4)))

    for name in anchors:
        granted = [entry.at.astimezone(PARIS) for entry in ledger.entries(name, limit=10_000) if entry.kind is EntryKind.grant]
        assert len(granted) == len({(at.year, at.month) for at in granted}) == 120
        assert ledger.balance(name).available == 50
        ledger.verify(name)


# 16
@pytest.mark.parametrize("early", [1, 0, -1])
@pytest.mark.parametrize("what", ["expires", "begins", "month", "hold"])
def test_an_instant_belongs_to_what_begins_with_it(ledger, account, clock, what, early):
    at = clock.now + timedelta(days=31)
    if what == "expires":
        ledger.grant(None, account, amount=10, key="grant", expires_at=at)
        before, after = 10, 0
    elif what == "begins":
        ledger.grant(None, account, amount=10, key="grant", effective_at=at)
        before, after = 0, 10
    elif what == "month":
        ledger.set_allowance(None, account, amount=10, anchor_at=clock.now, key="plan")
        ledger.charge(account, model="unit", usage=Usage(input_tokens=4), key="work")
        before, after = 6, 10
    else:
        ledger.grant(None, account, amount=10, key="grant")
        hold(ledger, account, 4, "turn", ttl_s=31 * 86400)
        before, after = 6, 10

    clock.now = at - timedelta(microseconds=early)

    there = before if early > 0 else after
    assert ledger.balance(account).available == there
    told = [ledger.explain(account, model="unit", estimate=Usage(input_tokens=tokens)).is_granted for tokens in (there, there + 1)]
    assert told == [True, False]


# 18
def test_usage_nobody_reported_leaves_no_free_credit_to_go_over(ledger, account, clock):
    ledger.set_allowance(None, account, amount=100, anchor_at=clock.now, key="plan", rollover_max=1000)
    ledger.settle(hold(ledger, account, 80, "turn").id, None)

    clock.advance(days=31)

    assert ledger.balance(account).available == 20 + 100


# 19
def test_a_crash_between_payment_and_credit_is_made_good_once(ledger, funded):
    ledger.set_top_up(None, funded, below=60, amount=500, key="rule")
    ledger.charge(funded, model="unit", usage=Usage(input_tokens=50), key="work")
    for point in POINTS:
        crashed(ledger, point, lambda: ledger.pay_top_up(None, funded, intent="top-up-1"))

    (event,) = [event for event in ledger.events(10_000) if event.account == funded]  # not acknowledged: dealt with again
    ledger.pay_top_up(None, funded, intent=event.data["intent"])

    assert ledger.balance(funded).available == 550


# 20
def test_every_effect_has_a_key_in_the_database():
    keys = [table.c.key for table in models.Row.metadata.sorted_tables if "key" in table.c]

    assert {column.table.name for column in keys} == {"credits_entry", "credits_hold"}
    assert not any(column.nullable for column in keys)


# 21
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("verb", ["grant", "hold", "charge", "adjust", "settle", "reverse", "claw_back"])
def test_key_and_effect_are_there_together_or_not_at_all(ledger, funded, point, verb):
    held = hold(ledger, funded, 10, "before")
    ledger.charge(funded, model="unit", usage=Usage(input_tokens=5), key="done")
    acts = {
        "grant": lambda: ledger.grant(None, funded, amount=7, key="k"),
        "hold": lambda: hold(ledger, funded, 7, "k"),
        "charge": lambda: ledger.charge(funded, model="unit", usage=Usage(input_tokens=7), key="k"),
        "adjust": lambda: ledger.adjust(None, funded, amount=-7, key="k", reason="r", actor="a"),
        "settle": lambda: ledger.settle(held.id, Usage(input_tokens=7)),
        "reverse": lambda: ledger.reverse(None, funded, key="done", reason="r", actor="a"),
        "claw_back": lambda: ledger.claw_back(None, funded, key="fund", reason="r", actor="a"),
    }

    def seen():
        balance = ledger.balance(funded)
        return balance.available, balance.held, len(ledger.entries(funded))

    before = seen()
    crashed(ledger, point, acts[verb])
    crash = seen()
    acts[verb]()
    after = seen()
    acts[verb]()

    assert crash == (after if point == "committed" else before)
    assert seen() == after != before


# 23
@pytest.mark.parametrize("wrong", [0, -5, True, 1.5, float("nan"), "5", None, amount.LARGEST + 1])
def test_no_verb_takes_an_amount_that_is_none(ledger, funded, wrong):
    held = hold(ledger, funded, 10, "turn")
    other = {"key": "k", "reason": "r", "actor": "a"}
    acts = [
        lambda: ledger.grant(None, funded, amount=wrong, key="k"),
        lambda: ledger.grow(held.id, wrong),
        lambda: ledger.transfer(None, funded, "other", amount=wrong, **other),
        lambda: ledger.set_top_up(None, funded, below=10, amount=wrong, key="k"),
        lambda: ledger.set_alerts(None, funded, below={wrong: 1}, key="k"),
    ]
    if wrong != 0 or isinstance(wrong, bool):
        acts += [
            lambda: ledger.set_allowance(None, funded, amount=wrong, anchor_at=FrozenClock().now, key="k"),
            lambda: ledger.set_limit(None, funded, "limit", amount=wrong, key="k"),
        ]
    if wrong != -5:
        acts.append(lambda: ledger.adjust(None, funded, amount=wrong, **other))

    for act in acts:
        with pytest.raises(errors.BadAmount):
            act()

    assert ledger.balance(funded).available == 90


# 27
def test_without_the_database_no_model_is_called(card, tmp_path):
    away = AiCredits(create_engine(f"sqlite:///{tmp_path}/none/credits.db"), rate_card=card)

    with pytest.raises(DBAPIError), away.meter("a", model="unit", estimate=Usage(), key="turn"):
        pytest.fail("the model was called")


# 28
def test_credit_that_was_taken_back_is_in_no_view(ledger, funded, clock):
    ledger.grant(None, funded, amount=500, key="void", expires_at=clock.now + timedelta(days=9))

    ledger.claw_back(None, funded, key="void", reason="wrong account", actor="ops")

    balance = ledger.balance(funded)
    assert (balance.available, sum(lot.remaining for lot in balance.lots)) == (100, 100)
    assert ledger.reports.forecast(funded).unused == ()


# 30
def test_what_a_call_reads_does_not_grow_with_history(ledger, account, clock):
    ledger.set_allowance(None, account, amount=10, anchor_at=clock.now, key="plan", rollover_max=5)
    for month in range(24):
        clock.advance(days=31)
        ledger.charge(account, model="unit", usage=Usage(input_tokens=5), key=f"work {month}")
        ledger.settle(hold(ledger, account, 2, f"turn {month}").id, Usage(input_tokens=1))

    with ledger.ledger.engine.connect() as connection:
        loaded = ledger.ledger._load_within(connection, Needs(account=account, now=clock.now))
        connection.rollback()

    assert len(loaded.lots) <= 3
    assert (loaded.holds or (), loaded.entries or ()) == ((), ())


# 33
@pytest.mark.parametrize("skew", [300, -300])
def test_processes_whose_clocks_differ_agree_on_what_is_dead(engine, card, ledger, funded, clock, skew):
    other = AiCredits(engine, rate_card=card, clock=lambda: clock.now + timedelta(seconds=skew))
    ends_at = clock.now + timedelta(hours=1)
    ledger.grant(None, funded, amount=50, key="short", expires_at=ends_at)
    ahead, behind = (other, ledger) if skew > 0 else (ledger, other)

    clock.now = ends_at - timedelta(seconds=max(0, skew))
    seen = [each.balance(funded).available for each in (behind, ahead, behind)]
    taken = behind.explain(funded, model="unit", estimate=Usage(input_tokens=101)).is_granted

    assert (seen, taken) == ([150, 100, 100], False)
