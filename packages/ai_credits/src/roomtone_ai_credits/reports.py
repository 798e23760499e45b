"""Reports: where credits went, how long they last, what they earned, and what another rate card would have made of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Engine, Select, and_, case, func, select

from . import inputs
from .entries import Book, EntryKind
from .errors import BadInput
from .models import ACCOUNT, ENTRY, LOT, POSTING
from .pricing import NANO_PER_MICRO, RateCard
from .reading import Balance
from .usage import Usage

_DAY = timedelta(days=1)
_COLUMNS: dict[str, ColumnElement[Any]] = {
    **{name: ENTRY.c[name] for name in ("model", "feature", "team", "api_key")},
    "user": ENTRY.c.used_by,
    "account": ACCOUNT.c.account,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Spending:
    """What was charged under one name: a model, a feature, a user, or a day in ISO 8601. Amounts are micro-credits."""

    name: str | None
    charged: int
    """Charges that were put back are taken off."""
    calls: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """How long an account's credits last, if it goes on as it did. Amounts are micro-credits."""

    per_day: int
    lasts_until: datetime | None
    """When nothing is left; None when nothing is used. Months to come are not counted."""
    unused: tuple[tuple[datetime, int], ...]
    """What will expire unused, and when, soonest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Margin:
    """What one model earned and cost, in millionths of a minor unit of the currency."""

    model: str | None
    charged: int
    """Micro-credits."""
    earned: dict[str, int]
    """By currency: what the customers had paid for the credits that were used; credits that were given earn nothing."""
    cost: int
    """What the provider is paid, by the card of costs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rerated:
    """What an account was charged for a model, and what another card would have charged. Amounts are micro-credits."""

    account: str
    model: str
    calls: int
    charged: int
    would_be: int


class Reports:
    """Reads the history, and changes nothing. Times are half-open: from `since` on, before `until`.

    Args:
        balance: tells what an account has now.
    """

    def __init__(self, engine: Engine, *, clock: Callable[[], datetime], balance: Callable[[str], Balance]) -> None:
        self._engine, self._clock, self._balance = engine, clock, balance

    def spending(
        self, *, since: datetime, until: datetime, by: str = "day", account: str | None = None, timezone: str = "UTC"
    ) -> list[Spending]:
        """Return what was charged by "day" (on the wall clock of `timezone`), "model", "feature", "user", "team", "api_key" or "account".

        Days are in order; the others the dearest first.

        Raises: BadInput.
        """
        if by == "day":
            return self._by_day(_zone(timezone), _between(since, until, account))
        if by not in _COLUMNS:
            raise BadInput("by", by, "one of 'day', " + ", ".join(map(repr, _COLUMNS)))
        column, calls = _COLUMNS[by], func.sum(case((ENTRY.c.kind == EntryKind.charge.value, 1), else_=0))
        query = _between(since, until, account).with_only_columns(column, -func.sum(ENTRY.c.amount), calls)
        found = [Spending(name=name, charged=int(sum_), calls=int(count)) for name, sum_, count in self._rows(query.group_by(column))]
        return sorted(found, key=lambda part: (-part.charged, part.name or ""))

    def balance_at(self, account: str, at: datetime) -> int:
        """Return what an account had at an instant of the past, held credit included, less its debt; in micro-credits."""
        self._balance(account)  # books what is due by now, each at its own instant
        mine = select(ENTRY.c.balance_after).join(ACCOUNT, ACCOUNT.c.id == ENTRY.c.account_id).where(ACCOUNT.c.account == account)
        last = mine.where(ENTRY.c.at <= inputs.instant("at", at)).order_by(ENTRY.c.seq.desc()).limit(1)
        return next((row.balance_after for row in self._rows(last)), 0)

    def forecast(self, account: str, *, days: int = 28) -> Forecast:
        """Tell how long an account's credits last at the rate of the last `days` days, and what will expire unused."""
        now = self._clock()
        balance = self._balance(account)
        used = self.spending(since=now - days * _DAY, until=now + _DAY, by="account", account=account)
        per_day = sum(part.charged for part in used) // inputs.whole("days", days, 366, least=1)
        burnt, unused = 0, []
        for lot in balance.lots:
            ends = lot.expires_at
            can_burn = lot.free if ends is None or not per_day else max(0, per_day * (ends - now) // _DAY - burnt)
            kept = 0 if not per_day and ends is not None else min(lot.free, can_burn)
            burnt += kept
            if ends is not None and lot.free > kept:
                unused.append((ends, lot.free - kept))
        lasts_until = now + timedelta(seconds=burnt * 86400 // per_day) if per_day else None
        return Forecast(per_day=per_day, lasts_until=lasts_until, unused=tuple(sorted(unused)))

    def margin(self, *, since: datetime, until: datetime, costs: RateCard, account: str | None = None) -> list[Margin]:
        """Return what each model earned and cost, the dearest first.

        Args:
            costs: what the provider is paid, with prices in billionths of a minor unit where a rate card has nano-credits.

        Raises: UnknownModel.
        """
        cost: Counter[str | None] = Counter()
        charged: Counter[str | None] = Counter()
        for row in self._rows(_between(since, until, account)):
            charged[row.model] -= row.amount
            if row.usage and row.model:
                cost[row.model] += costs.rate(row.model).nano(Usage(**row.usage))
        earned: defaultdict[str | None, Counter[str]] = defaultdict(Counter)
        of_entry = and_(POSTING.c.account_id == ENTRY.c.account_id, POSTING.c.seq == ENTRY.c.seq, POSTING.c.book == Book.lot.value)
        of_lot = and_(LOT.c.account_id == POSTING.c.account_id, LOT.c.number == POSTING.c.lot, LOT.c.cost_minor > 0)
        paid = _between(since, until, account).join(POSTING, of_entry).join(LOT, of_lot)
        columns = (ENTRY.c.model, POSTING.c.amount, LOT.c.cost_minor, LOT.c.granted, LOT.c.currency)
        for model, amount, cost_minor, granted, currency in self._rows(paid.with_only_columns(*columns)):
            earned[model][currency] += -amount * cost_minor * 1_000_000 // granted
        models = sorted(charged, key=lambda model: (-charged[model], model or ""))
        return [Margin(model=m, charged=charged[m], earned=dict(earned[m]), cost=cost[m] // NANO_PER_MICRO) for m in models]

    def simulate(self, card: RateCard, *, since: datetime, until: datetime, account: str | None = None) -> list[Rerated]:
        """Rate the usage of the past with another card: what would have been charged, by account and model. Nothing is booked.

        Raises: UnknownModel.
        """
        sums: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
        for row in self._rows(_between(since, until, account).where(ENTRY.c.kind == EntryKind.charge.value)):
            if row.usage is None:
                continue
            part = sums[row.account, row.model]
            part[0] += 1
            part[1] += row.priced_nano
            part[2] += card.rate(row.model).nano(Usage(**row.usage))
        return [
            Rerated(account=name, model=model, calls=calls, charged=old // NANO_PER_MICRO, would_be=new // NANO_PER_MICRO)
            for (name, model), (calls, old, new) in sorted(sums.items())
        ]

    def _by_day(self, zone: ZoneInfo, query: Select[Any]) -> list[Spending]:
        charged: Counter[str] = Counter()
        calls: Counter[str] = Counter()
        for row in self._rows(query):
            day = row.at.astimezone(zone).date().isoformat()
            charged[day] -= row.amount
            calls[day] += row.kind == EntryKind.charge.value
        return [Spending(name=day, charged=charged[day], calls=calls[day]) for day in sorted(charged)]

    # Any: a row's columns have many types.
    def _rows(self, query: Select[Any]) -> Iterator[Any]:
        with self._engine.connect() as connection, connection.execution_options(yield_per=1000).execute(query) as found:
            yield from found


def _between(since: datetime, until: datetime, account: str | None) -> Select[Any]:
    """Charges, and charges put back."""
    moves = ENTRY.c.kind.in_((EntryKind.charge.value, EntryKind.reversal.value))
    joined = select(ENTRY, ACCOUNT.c.account).join(ACCOUNT, ACCOUNT.c.id == ENTRY.c.account_id)
    query = joined.where(moves, ENTRY.c.at >= inputs.instant("since", since), ENTRY.c.at < inputs.instant("until", until))
    return query.where(ACCOUNT.c.account == account) if account is not None else query


def _zone(timezone: str) -> ZoneInfo:
    return ZoneInfo(inputs.zone(timezone))
