"""The asyncio facade: the same answers, from tasks."""

import asyncio
import inspect

import pytest

from roomtone_ai_credits import AiCredits, AsyncAiCredits, OnFailure, Usage, errors
from roomtone_ai_credits.verbs import Verbs


def run(work, ledger):
    async def main():
        async with AsyncAiCredits(ledger) as credits_:
            return await work(credits_)

    return asyncio.run(main())


@pytest.fixture
def funded(ledger, account):
    ledger.grant(None, account, amount=100, key="fund")
    return account


def test_sixty_four_tasks_of_a_balance_for_fifty_get_fifty(ledger, funded):
    async def work(credits_):
        charges = [credits_.charge(funded, model="unit", usage=Usage(input_tokens=2), key=f"work {n}") for n in range(64)]
        return await asyncio.gather(*charges, return_exceptions=True)

    answers = run(work, ledger)

    refusals = [answer for answer in answers if isinstance(answer, errors.InsufficientCredits)]
    assert (len(refusals), ledger.balance(funded).available) == (14, 0)


def test_a_metered_call_costs_what_it_used(ledger, funded):
    async def work(credits_):
        async with credits_.meter(funded, model="unit", estimate=Usage(input_tokens=60), key="turn") as call:
            held = (await credits_.balance(funded)).held
            await call.settle(Usage(input_tokens=25))
        return held, call.charged, (await credits_.entries(funded))[0].amount

    assert run(work, ledger) == (60, 25, -25)


def test_a_call_that_reports_nothing_is_charged_as_estimated(ledger, funded):
    async def work(credits_):
        async with credits_.meter(funded, model="unit", estimate=Usage(input_tokens=60), key="turn"):
            pass

    run(work, ledger)

    assert ledger.balance(funded).available == 40


def test_a_cancelled_call_costs_what_went_in(ledger, funded):
    async def work(credits_):
        has_begun = asyncio.Event()

        async def turn():
            async with credits_.meter(funded, model="unit", estimate=Usage(input_tokens=60, output_tokens=9), key="turn"):
                has_begun.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(turn())
        await has_begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return (await credits_.balance(funded)).available

    assert run(work, ledger) == 40


def test_a_settlement_whose_task_is_cancelled_is_charged_once(ledger, funded):
    async def work(credits_):
        hold = await credits_.hold(funded, model="unit", estimate=Usage(input_tokens=60), key="turn")
        task = asyncio.create_task(credits_.settle(hold.id, Usage(input_tokens=25)))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return await credits_.settle(hold.id, Usage(input_tokens=99))

    settlement = run(work, ledger)

    assert settlement.charged in {25, 99}
    assert ledger.balance(funded).available == 100 - settlement.charged


def test_a_hold_nobody_made_is_unknown(ledger):
    with pytest.raises(errors.UnknownHold):
        run(lambda credits_: credits_.release("none"), ledger)


# Half a transfer each: the facades have the whole.
HALVES = {"transfer_out", "transfer_in"}


@pytest.mark.parametrize("verb", sorted({name for name, _ in inspect.getmembers(Verbs, inspect.isfunction) if name[0] != "_"} - HALVES))
def test_both_facades_have_every_verb_with_its_arguments(verb):
    wanted = inspect.signature(getattr(Verbs, verb))

    assert inspect.signature(getattr(AiCredits, verb)) == inspect.signature(getattr(AsyncAiCredits, verb)) == wanted


@pytest.mark.parametrize(("seen", "charged"), [(None, 10), (40, 40)])
def test_a_cancelled_stream_is_charged_by_the_declared_policy(ledger, funded, seen, charged):
    async def work(credits_):
        has_begun = asyncio.Event()

        async def turn():
            estimate = Usage(input_tokens=10)
            async with credits_.meter(funded, model="unit", estimate=estimate, key="turn", on_cancel=OnFailure.estimate) as call:
                if seen:
                    assert await call.observe(Usage(input_tokens=seen))
                has_begun.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(turn())
        await has_begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(work, ledger)

    assert ledger.balance(funded).available == 100 - charged


def test_credit_is_handed_on_and_told_of(ledger, funded):
    async def work(credits_):
        await credits_.set_alerts(funded, below={50: 10}, key="alerts")
        await credits_.transfer(funded, f"{funded}-other", amount=60, key="move", reason="r", actor="a")
        mine = [event for event in await credits_.events(10_000) if event.account == funded]
        await credits_.acknowledge(mine)
        return mine, [event for event in await credits_.events(10_000) if event.account == funded]

    told, left = run(work, ledger)

    assert ([event.data["available"] for event in told], left) == ([40], [])
    assert ledger.balance(f"{funded}-other").available == 60


def test_a_hold_that_another_process_made_is_settled(ledger, funded, engine, card, clock):
    other = AiCredits(engine, rate_card=card, clock=clock)
    hold = other.hold(funded, model="unit", estimate=Usage(input_tokens=60), key="turn")

    settlement = run(lambda credits_: credits_.settle(hold.id, Usage(input_tokens=25)), ledger)

    assert (settlement.charged, ledger.balance(funded).available) == (25, 75)


def test_more_accounts_than_threads_are_served_together(ledger, funded):
    accounts = [f"{funded}-{number}" for number in range(5)]
    for name in accounts:
        ledger.grant(None, name, amount=100, key="fund")

    async def work():
        async with AsyncAiCredits(ledger, threads=2) as credits_:
            charges = [
                credits_.charge(name, model="unit", usage=Usage(input_tokens=2), key=f"work {number}")
                for number in range(40)
                for name in accounts
            ]
            await asyncio.gather(*charges)

    asyncio.run(work())

    assert [ledger.balance(name).available for name in accounts] == [20] * 5
