"""Alerts, orders for more credits, and the events that tell of them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from roomtone_ai_credits import EventKind, Usage, errors


@pytest.fixture
def funded(ledger, account):
    ledger.grant(None, account, amount=100, key="fund")
    return account


@pytest.fixture
def told(ledger, funded):
    return lambda: [(event.kind, dict(event.data)) for event in ledger.events(10_000) if event.account == funded]


class Undone(Exception):
    pass


def undone(transaction, work):
    """Do it in a host's transaction that is rolled back."""
    with transaction() as session:
        work(session)
        raise Undone


def use(ledger, account, tokens, key):
    return ledger.charge(account, model="unit", usage=Usage(input_tokens=tokens), key=key)


def test_a_low_balance_is_told_once_for_each_crossing_and_again_after_it_was_well_above(ledger, funded, told):
    ledger.set_alerts(None, funded, below={50: 20}, key="alerts")
    for number in range(6):
        use(ledger, funded, 10, f"down {number}")
    ledger.grant(None, funded, amount=25, key="not enough")  # 65, armed again from 70 on
    use(ledger, funded, 20, "under again")
    assert told() == [(EventKind.low_balance, {"below": 50, "available": 40})]

    ledger.grant(None, funded, amount=25, key="enough")  # 70
    use(ledger, funded, 21, "crossing")

    assert [facts["available"] for _, facts in told()] == [40, 49]


def test_a_crossing_of_many_threads_is_told_once(ledger, funded, told):
    ledger.set_alerts(None, funded, below={50: 20}, key="alerts")

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: use(ledger, funded, 5, f"work {number}"), range(16)))

    assert len(told()) == 1


def test_credit_that_expires_crosses_a_threshold_too(ledger, account, clock):
    ledger.set_alerts(None, account, below={50: 20}, key="alerts")
    ledger.grant(None, account, amount=80, key="short", expires_at=clock.now.replace(day=2))
    before = [event for event in ledger.events(10_000) if event.account == account]

    clock.advance(days=2)
    ledger.balance(account)

    events = [event for event in ledger.events(10_000) if event.account == account]
    assert [event.data["available"] for event in events[len(before) :]] == [0]


def test_an_event_is_told_until_it_is_acknowledged_in_the_hosts_transaction(ledger, funded, transaction):
    ledger.set_alerts(None, funded, below={50: 20}, key="alerts")
    use(ledger, funded, 60, "work")
    mine = [event for event in ledger.events(10_000) if event.account == funded]

    with pytest.raises(Undone):
        undone(transaction, lambda session: ledger.acknowledge(session, mine))
    again = [event for event in ledger.events(10_000) if event.account == funded]
    ledger.acknowledge(None, mine)

    assert again == mine != []
    assert [event for event in ledger.events(10_000) if event.account == funded] == []


def test_an_event_of_a_transaction_that_is_rolled_back_is_not_told(ledger, funded, transaction, told):
    ledger.set_alerts(None, funded, below={50: 20}, key="alerts")

    with pytest.raises(Undone):
        undone(transaction, lambda session: ledger.adjust(session, funded, amount=-80, key="adjust", reason="test", actor="test"))

    assert told() == []


def test_a_hundred_crossings_at_once_order_once(ledger, funded, told):
    ledger.set_top_up(None, funded, below=60, amount=500, key="rule")

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda number: use(ledger, funded, 1, f"work {number}"), range(100)))

    assert told() == [(EventKind.top_up_wanted, {"intent": "top-up-1", "amount": 500})]


def test_a_paid_order_is_granted_once_and_the_next_comes_after_the_cooldown(ledger, funded, told, clock):
    ledger.set_top_up(None, funded, below=60, amount=50, cooldown_s=3600, key="rule")
    use(ledger, funded, 90, "work")

    paid = [ledger.pay_top_up(None, funded, intent="top-up-1", cost_minor=500, currency="EUR") for _ in range(3)]
    use(ledger, funded, 10, "soon")
    assert len(told()) == 1
    clock.advance(seconds=3600)
    use(ledger, funded, 1, "later")

    assert [grant.replayed for grant in paid] == [False, True, True]
    assert [facts["intent"] for _, facts in told()] == ["top-up-1", "top-up-2"]
    (lot,) = [lot for lot in ledger.balance(funded).lots if lot.kind == "pack"]
    assert (lot.granted, lot.cost_minor, lot.currency) == (50, 500, "EUR")


def test_an_order_that_failed_is_tried_again_later_each_time(ledger, funded, told, clock):
    ledger.set_top_up(None, funded, below=60, amount=50, cooldown_s=60, key="rule")
    use(ledger, funded, 90, "work")
    waits = []
    for number in range(1, 5):
        ledger.fail_top_up(None, funded, intent=f"top-up-{number}", reason="card declined")
        ledger.fail_top_up(None, funded, intent=f"top-up-{number}", reason="card declined")
        waited = 0
        while len(told()) == number:
            waited += 20
            clock.advance(seconds=20)
            ledger.adjust(None, funded, amount=1, key=f"look {number} {waited}", reason="look", actor="test")
        waits.append(waited)

    assert waits == [60, 120, 240, 480]


def test_orders_stop_at_the_most_of_a_month(ledger, funded, told, clock):
    ledger.set_top_up(None, funded, below=1000, amount=50, most_a_month=120, cooldown_s=1, key="rule")
    for number in range(1, 5):
        clock.advance(seconds=10)
        use(ledger, funded, 1, f"work {number}")
        if len(told()) == number:
            ledger.pay_top_up(None, funded, intent=f"top-up-{number}")
    assert len(told()) == 2

    clock.advance(days=31)
    use(ledger, funded, 1, "next month")

    assert len(told()) == 3


def test_an_order_thought_failed_that_was_paid_is_granted(ledger, funded):
    """The process died between the payment and the credit, and a sweep gave the order up."""
    ledger.set_top_up(None, funded, below=60, amount=50, key="rule")
    use(ledger, funded, 90, "work")
    ledger.fail_top_up(None, funded, intent="top-up-1", reason="no answer")

    ledger.pay_top_up(None, funded, intent="top-up-1")

    assert ledger.balance(funded).available == 60


@pytest.mark.parametrize("intent", ["top-up-2", "top-up-0", "top-up-", "1", "top-up-01x"])
def test_an_order_nobody_made_is_unknown(ledger, funded, intent):
    ledger.set_top_up(None, funded, below=60, amount=50, key="rule")
    use(ledger, funded, 90, "work")

    with pytest.raises(errors.UnknownOrder):
        ledger.pay_top_up(None, funded, intent=intent)
    with pytest.raises(errors.UnknownOrder):
        ledger.fail_top_up(None, funded, intent=intent, reason="none")


def test_a_removed_top_up_orders_nothing(ledger, funded, told):
    ledger.set_top_up(None, funded, below=60, amount=50, key="rule")
    ledger.remove_top_up(None, funded, key="off")

    use(ledger, funded, 90, "work")

    assert told() == []
