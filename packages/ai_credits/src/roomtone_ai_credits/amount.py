"""Amounts: whole micro-credits, checked at the door and written as credits for people."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from .errors import BadAmount

CREDIT = 1_000_000
"""Micro-credits in one credit."""

LARGEST = 1_000_000_000 * CREDIT
"""The largest single amount; nine thousand of them still fit a BIGINT."""


def positive(amount: int, field: str = "amount") -> int:
    """Return `amount` if it is an integer of micro-credits in 1..LARGEST.

    Raises: BadAmount, also for a bool, which Python counts as an integer.
    """
    if not is_whole(amount) or not 0 < amount <= LARGEST:
        raise BadAmount(field, amount, f"a whole number of micro-credits from 1 to {LARGEST}")
    return amount


def signed(amount: int, field: str = "amount") -> int:
    """Return `amount` if it is a non-zero integer of micro-credits within ±LARGEST. Raises: BadAmount."""
    if not is_whole(amount) or not 0 < abs(amount) <= LARGEST:
        raise BadAmount(field, amount, f"a whole number of micro-credits, not 0, within ±{LARGEST}")
    return amount


def is_whole(value: object) -> bool:
    """Tell whether `value` is a real integer; True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def parse(text: str) -> int:
    """Read credits as people write them ("12.5") into micro-credits.

    Raises: BadAmount when it is no number or finer than a micro-credit.
    """
    try:
        scaled = Decimal(text.strip()) * CREDIT
        exact = int(scaled)
    except (InvalidOperation, ValueError, OverflowError) as problem:
        raise BadAmount("amount", text, "a number of credits such as 50 or 12.5") from problem
    if exact != scaled:
        raise BadAmount("amount", text, "no finer than 0.000001 credits")
    return exact


def show(micro: int) -> str:
    """Write micro-credits as credits, without needless zeros: 12_500_000 is "12.5"."""
    whole, rest = divmod(abs(micro), CREDIT)
    fraction = f".{rest:06d}".rstrip("0") if rest else ""
    return f"{'-' if micro < 0 else ''}{whole}{fraction}"
