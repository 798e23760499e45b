"""Where credits went, how long they last, what they earned."""

from datetime import timedelta

import pytest

from roomtone_ai_credits import ModelRate, RateCard, Usage, errors
from roomtone_ai_credits.testing import FrozenClock

SINCE, UNTIL = FrozenClock().now - timedelta(days=1), FrozenClock().now + timedelta(days=99)


@pytest.fixture
def busy(ledger, account, clock):
    """Three days of work by two users, one charge of which is put back."""
    ledger.grant(None, account, amount=1000, key="pack", kind="pack", cost_minor=500, currency="EUR")
    for day in range(3):
        for user, feature, tokens in (("ada", "chat", 10), ("bob", "search", 20 + day)):
            usage = Usage(input_tokens=tokens)
            ledger.charge(account, model=f"unit-{feature}", usage=usage, key=f"{user} {day}", user=user, feature=feature)
        clock.advance(days=1)
    ledger.reverse(None, account, key="bob 2", reason="empty", actor="support")
    return account


def spent(ledger, account, by, **more):
    rows = ledger.reports.spending(since=SINCE, until=UNTIL, by=by, account=account, **more)
    return [(row.name, row.charged, row.calls) for row in rows]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("user", [("bob", 41, 3), ("ada", 30, 3)]),
        ("feature", [("search", 41, 3), ("chat", 30, 3)]),
        ("model", [("unit-search", 41, 3), ("unit-chat", 30, 3)]),
        ("team", [(None, 71, 6)]),
        ("day", [("2026-01-01", 30, 2), ("2026-01-02", 31, 2), ("2026-01-03", 32, 2), ("2026-01-04", -22, 0)]),
    ],
)
def test_what_was_charged_is_told_by_day_model_feature_and_user(ledger, busy, by, expected):
    assert spent(ledger, busy, by) == expected


def test_all_views_add_up_to_the_same_and_to_the_balance(ledger, busy):
    views = {
        by: sum(part for _, part, _ in spent(ledger, busy, by)) for by in ("day", "model", "feature", "user", "team", "api_key", "account")
    }

    assert set(views.values()) == {1000 - ledger.balance(busy).available}


def test_days_are_those_of_the_time_zone_asked_for(ledger, busy):
    days = [day for day, _, _ in spent(ledger, busy, "day", timezone="America/New_York")]

    assert days[0] == "2025-12-31"


def test_a_view_nobody_has_is_refused(ledger, busy):
    with pytest.raises(errors.BadInput):
        ledger.reports.spending(since=SINCE, until=UNTIL, by="mood")


def test_a_forecast_tells_how_long_credit_lasts_and_what_expires_unused(ledger, account, clock):
    ledger.grant(None, account, amount=280, key="first")
    ledger.charge(account, model="unit", usage=Usage(input_tokens=280), key="work")  # ten a day over four weeks
    ledger.grant(None, account, amount=100, key="short", expires_at=clock.now + timedelta(days=3))
    ledger.grant(None, account, amount=50, key="pack", kind="pack")

    told = ledger.reports.forecast(account)

    assert (told.per_day, told.unused) == (10, ((clock.now + timedelta(days=3), 70),))
    assert told.lasts_until == clock.now + timedelta(days=8)


def test_a_forecast_without_use_promises_nothing(ledger, account, clock):
    ledger.grant(None, account, amount=100, key="short", expires_at=clock.now + timedelta(days=3))

    told = ledger.reports.forecast(account)

    assert (told.per_day, told.lasts_until, told.unused) == (0, None, ((clock.now + timedelta(days=3), 100),))


def test_a_margin_sets_what_was_earned_beside_what_the_provider_costs(ledger, busy):
    costs = RateCard(version="costs", models=(ModelRate(pattern="unit*", input_nano=200_000_000),))

    by_model = {row.model: row for row in ledger.reports.margin(since=SINCE, until=UNTIL, costs=costs, account=busy)}

    chat = by_model["unit-chat"]
    assert (chat.charged, chat.earned, chat.cost) == (30, {"EUR": 15_000_000}, 6_000_000)  # 30 of 1000 for 5 euros; 30 × 0.2 cents


def test_credit_that_was_given_earns_nothing(ledger, account):
    ledger.grant(None, account, amount=100, key="promo")
    ledger.charge(account, model="unit", usage=Usage(input_tokens=10), key="work")
    costs = RateCard(version="costs", models=(ModelRate(pattern="unit*", input_nano=1),))

    (row,) = ledger.reports.margin(since=SINCE, until=UNTIL, costs=costs, account=account)

    assert row.earned == {}


def test_another_card_is_tried_on_the_usage_of_the_past(ledger, busy):
    dearer = RateCard(version="next", models=(ModelRate(pattern="unit-chat", input_nano=3_000), ModelRate(pattern="*", input_nano=500)))
    before = ledger.balance(busy)

    rows = ledger.reports.simulate(dearer, since=SINCE, until=UNTIL, account=busy)

    assert [(row.model, row.calls, row.charged, row.would_be) for row in rows] == [("unit-chat", 3, 30, 90), ("unit-search", 3, 63, 31)]
    assert ledger.balance(busy) == before


def test_the_same_card_comes_to_the_same(ledger, busy):
    rows = ledger.reports.simulate(ledger.rate_card, since=SINCE, until=UNTIL, account=busy)

    assert [row.charged for row in rows] == [row.would_be for row in rows]


def test_a_card_without_a_price_is_refused(ledger, busy):
    with pytest.raises(errors.UnknownModel):
        ledger.reports.simulate(RateCard(version="none"), since=SINCE, until=UNTIL, account=busy)


def test_what_there_was_at_an_instant_of_the_past_is_known(ledger, account, clock):
    start = clock.now
    ledger.set_allowance(None, account, amount=100, anchor_at=start, key="plan", ends_at=start + timedelta(days=31))
    clock.advance(days=2)
    ledger.charge(account, model="unit", usage=Usage(input_tokens=30), key="work")
    clock.advance(days=60)

    days = (-1, 0, 1, 2, 30, 31, 50)
    assert [ledger.reports.balance_at(account, start + timedelta(days=day)) for day in days] == [0, 100, 100, 70, 70, 0, 0]
