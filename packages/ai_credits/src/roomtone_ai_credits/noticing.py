"""Noticing what a host wants to be told: a balance that crosses a threshold, credits that should be ordered."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from .books import Books
from .notices import INTENT, Alert, EventKind, TopUp

_DOUBLINGS_MAX = 6


def look(books: Books) -> None:
    """Tell of what has been crossed by now, once: in the same transaction as what crossed it."""
    if books.alerts:
        available = books.available
        books.alerts = tuple(_alert(books, alert, available) for alert in books.alerts)
    if books.top_up is not None and books.available < books.top_up.below:
        books.top_up = _order(books, books.top_up)


def paid(books: Books, top_up: TopUp) -> TopUp:
    """The order was paid: the next may come after the cooldown."""
    return replace(top_up, pending=None, failures=0, wait_until=books.now + timedelta(seconds=top_up.cooldown_s))


def failed(books: Books, top_up: TopUp) -> TopUp:
    """The order was not paid: the next may come after a cooldown that doubles with each failure in a row."""
    wait = top_up.cooldown_s * 2 ** min(top_up.failures, _DOUBLINGS_MAX)
    ordered = max(0, top_up.ordered - top_up.amount)
    wait_until = books.now + timedelta(seconds=wait)
    return replace(top_up, pending=None, failures=top_up.failures + 1, wait_until=wait_until, ordered=ordered)


def _alert(books: Books, alert: Alert, available: int) -> Alert:
    if alert.is_armed and available < alert.below:
        books.tell(EventKind.low_balance, below=alert.below, available=available)
        return replace(alert, is_armed=False)
    return replace(alert, is_armed=True) if not alert.is_armed and available >= alert.below + alert.rearm else alert


def _order(books: Books, top_up: TopUp) -> TopUp:
    month = f"{books.now:%Y-%m}"
    ordered = (top_up.ordered if month == top_up.month else 0) + top_up.amount
    is_waiting = top_up.wait_until is not None and books.now < top_up.wait_until
    if top_up.pending or is_waiting or (top_up.most_a_month is not None and ordered > top_up.most_a_month):
        return top_up
    intent = f"{INTENT}{top_up.number + 1}"
    books.tell(EventKind.top_up_wanted, intent=intent, amount=top_up.amount)
    return replace(top_up, number=top_up.number + 1, pending=intent, month=month, ordered=ordered)
