"""The same credits for asyncio hosts: tasks of one account share transactions, which a few threads carry out."""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from .acts import Act, Outcome
from .combiner import BATCH_MAX, QUEUE_MAX
from .credits import AiCredits
from .errors import InsufficientCredits, LedgerBusy
from .grants import Grant
from .holds import Hold, Settlement
from .meter import OnFailure, Watch
from .notices import Event
from .reading import Balance, EntryView, LimitUse
from .usage import Usage
from .verbs import Verbs

P = ParamSpec("P")
A = TypeVar("A")
THREADS = 8
MANY = 32


def _awaited(verb: Callable[Concatenate[Verbs, P], Act[A]]) -> Callable[Concatenate[AsyncAiCredits, P], Awaitable[A]]:
    """Make a verb of the asyncio facade."""

    @functools.wraps(verb)
    async def act(self: AsyncAiCredits, /, *args: P.args, **kwargs: P.kwargs) -> A:
        return await self.carry_out(verb(self.credits.verbs, *args, **kwargs))

    return act


class AsyncAiCredits:
    """The verbs of `AiCredits` as coroutines, for one event loop.

    A task that is cancelled while it waits does not take its act back: it may have been committed, and its key says whether.

    Args:
        credits_: what is made asynchronous; threads of its process may go on using it.
        threads: most accounts served at the same moment, each on a connection of its own.
    """

    def __init__(self, credits_: AiCredits, *, threads: int = THREADS) -> None:
        self.credits = credits_
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="credits")
        self._waiting: dict[str, deque[_Ticket]] = {}
        self._serving: set[asyncio.Task[None]] = set()

    grant = _awaited(Verbs.grant)
    adjust = _awaited(Verbs.adjust)
    set_allowance = _awaited(Verbs.set_allowance)
    end_allowance = _awaited(Verbs.end_allowance)
    reverse = _awaited(Verbs.reverse)
    hold = _awaited(Verbs.hold)
    settle = _awaited(Verbs.settle)
    release = _awaited(Verbs.release)
    charge = _awaited(Verbs.charge)
    grow = _awaited(Verbs.grow)
    explain = _awaited(Verbs.explain)
    max_affordable = _awaited(Verbs.max_affordable)
    claw_back = _awaited(Verbs.claw_back)
    set_limit = _awaited(Verbs.set_limit)
    remove_limit = _awaited(Verbs.remove_limit)
    set_alerts = _awaited(Verbs.set_alerts)
    set_top_up = _awaited(Verbs.set_top_up)
    remove_top_up = _awaited(Verbs.remove_top_up)
    pay_top_up = _awaited(Verbs.pay_top_up)
    fail_top_up = _awaited(Verbs.fail_top_up)

    def meter(
        self,
        account: str,
        *,
        model: str,
        estimate: Usage,
        key: str,
        user: str | None = None,
        feature: str | None = None,
        team: str | None = None,
        api_key: str | None = None,
        at_least: Usage | None = None,
        parent: str | None = None,
        on_failure: OnFailure = OnFailure.release,
        on_cancel: OnFailure = OnFailure.prompt,
    ) -> AsyncMeter:
        """Wrap a model call, as `AiCredits.meter` does, in an `async with`."""
        take = functools.partial(
            self.hold,
            account,
            model=model,
            estimate=estimate,
            key=key,
            user=user,
            feature=feature,
            team=team,
            api_key=api_key,
            at_least=at_least,
            parent=parent,
        )
        return AsyncMeter(self, take, Watch(on_failure, on_cancel))

    async def transfer(self, source: str, target: str, *, amount: int, key: str, reason: str, actor: str) -> Grant:
        """Move available credit to another account; see `AiCredits.transfer`."""
        give = functools.partial(self.credits.transfer, amount=amount, key=key, reason=reason, actor=actor)
        return await self._in_thread(give, None, source, target)

    async def balance(self, account: str) -> Balance:
        """Tell what an account has now."""
        return await self._in_thread(self.credits.balance, account)

    async def entries(self, account: str, limit: int = 50) -> list[EntryView]:
        """Return what moved the balance, newest first; at most `limit`."""
        return await self._in_thread(self.credits.entries, account, limit)

    async def limits(self, account: str) -> list[LimitUse]:
        """Return the limits of an account and what was used under each."""
        return await self._in_thread(self.credits.limits, account)

    async def events(self, limit: int = 100) -> list[Event]:
        """Return what the host has not been told yet; see `AiCredits.events`."""
        return await self._in_thread(self.credits.events, limit)

    async def acknowledge(self, events: Sequence[Event]) -> None:
        """Note that events were dealt with."""
        await self._in_thread(self.credits.acknowledge, None, events)

    async def carry_out(self, act: Act[A]) -> A:
        """Carry out an act of `verbs`, together with others of the account.

        Raises: LedgerBusy when too many wait for the account.
        """
        account = act.account if act.account is not None else self.credits.ledger.known_account_of(act.hold_ids[0])
        if account is None:
            account = await self._in_thread(self.credits.ledger.account_of, act.hold_ids[0])
        ticket = _Ticket(act)
        waiting = self._waiting.get(account)
        if waiting is None:
            self._waiting[account] = deque([ticket])
            task = asyncio.create_task(self._serve(account))
            # The loop itself keeps no task alive.
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        elif len(waiting) >= QUEUE_MAX:
            raise LedgerBusy(account, f"{QUEUE_MAX} others wait for it")
        else:
            waiting.append(ticket)
        answer: A = await ticket.outcome
        if isinstance(answer, Hold):
            self.credits.ledger.remember(answer.id, account)
        return answer

    async def close(self) -> None:
        """Wait for what is under way and let the threads go."""
        await asyncio.gather(*self._serving)
        await asyncio.to_thread(self._pool.shutdown)

    async def __aenter__(self) -> AsyncAiCredits:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def _serve(self, account: str) -> None:
        waiting, loop = self._waiting[account], asyncio.get_running_loop()
        while waiting:
            await self._in_thread(self._carry_out_queue, account, waiting, loop)
        # Tasks queue in this thread only, so nobody can have come since the queue was seen to be empty.
        del self._waiting[account]

    def _carry_out_queue(self, account: str, waiting: deque[_Ticket], loop: asyncio.AbstractEventLoop) -> None:
        """Carry out batches until nobody waits, or other accounts do. The loop answers one while the next is planned and written."""
        is_first = True
        while waiting and (is_first or len(self._waiting) <= self._threads):
            is_first = False
            batch = [waiting.popleft() for _ in range(_batch_size(len(waiting)))]
            try:
                outcomes = self.credits.carry_out_all(account, [ticket.act for ticket in batch])
            except BaseException as problem:  # noqa: BLE001  # it is raised again, in the tasks that wait
                outcomes = [Outcome(problem=problem) for _ in batch]
            loop.call_soon_threadsafe(_resolve, batch, outcomes)

    async def _in_thread(self, work: Callable[P, A], *args: P.args, **kwargs: P.kwargs) -> A:
        return await asyncio.get_running_loop().run_in_executor(self._pool, functools.partial(work, *args, **kwargs))


def _resolve(batch: Sequence[_Ticket], outcomes: Sequence[Outcome]) -> None:
    for ticket, outcome in zip(batch, outcomes, strict=True):
        ticket.resolve(outcome)


def _batch_size(waiting: int) -> int:
    # Of many the later half goes into the next transaction: while the database commits that one, those of this one ask for more.
    return min(waiting if waiting < MANY else (waiting + 1) // 2, BATCH_MAX)


class _Ticket:
    """One task waiting for the outcome of its act."""

    __slots__ = ("act", "outcome")

    # Any: acts of one batch have answers of many types.
    def __init__(self, act: Act[Any]) -> None:
        self.act = act
        self.outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def resolve(self, outcome: Outcome) -> None:
        """Answer, unless the task was cancelled meanwhile."""
        if self.outcome.done():
            return
        if outcome.problem is not None:
            self.outcome.set_exception(outcome.problem)
        else:
            self.outcome.set_result(outcome.answer)


class AsyncMeter:
    """The context manager `AsyncAiCredits.meter` returns. It does what `Meter` does, and finishes also when its task is cancelled."""

    def __init__(self, credits_: AsyncAiCredits, take: Callable[[], Awaitable[Hold]], watch: Watch) -> None:
        self._credits, self._take, self._watch = credits_, take, watch
        self._hold: Hold | None = None
        self.charged: int | None = None
        """Micro-credits charged; None until settled."""

    @property
    def hold(self) -> Hold:
        """The hold behind this call. Its id settles it later, from anywhere."""
        assert self._hold is not None, "the meter's block has not been entered"
        return self._hold

    async def observe(self, usage: Usage) -> bool:
        """Tell what has been used so far, all in all; returns whether the call may go on. See `Meter.observe`."""
        wanted = self._watch.wanted(self.hold, usage)
        for amount in wanted:
            try:
                self._hold = await self._credits.grow(self.hold.id, amount)
            except InsufficientCredits:
                continue
            return True
        return not wanted

    async def settle(self, usage: Usage | None) -> Settlement:
        """Charge what was used; None when the provider reported nothing. A second call answers as the first did."""
        self._watch.was_settled = True
        settlement = await asyncio.shield(asyncio.ensure_future(self._credits.settle(self.hold.id, usage)))
        self.charged = settlement.charged
        return settlement

    async def __aenter__(self) -> AsyncMeter:
        self._hold = await self._take()
        self.charged = self._hold.charged
        return self

    async def __aexit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        if self._watch.is_over(self.hold):
            return
        is_charged, usage = self._watch.to_charge(self.hold, problem)
        if is_charged:
            await self.settle(usage)
        else:
            await asyncio.shield(asyncio.ensure_future(self._credits.release(self.hold.id)))
