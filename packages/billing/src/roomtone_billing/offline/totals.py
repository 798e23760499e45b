"""What discounts and taxes do to the lines of an invoice: integers in, integers out, and every part adds up to its whole.

Source: https://docs.stripe.com/billing/subscriptions/coupons and https://docs.stripe.com/billing/taxes/tax-rates
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A discount to apply.

    Attributes:
        percent: 0 to 100; None when an amount is taken off.
        amount: minor units off the whole invoice.
        products: the products it is for; None is all of them.
    """

    discount: str
    percent: Decimal | None = None
    amount: int = 0
    products: frozenset[str] | None = None


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A tax rate; inclusive means that the amounts contain it already."""

    tax_rate: str
    percent: Decimal
    is_inclusive: bool


@dataclass(frozen=True, kw_only=True)
class Position:
    """A line as far as discounts and taxes care."""

    amount: int
    product: str | None = None
    is_discountable: bool = True
    rates: tuple[Rate, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Worked:
    """A position's discounts (minor units off, in the order of the cuts) and its taxes (of the rest, in the order of its rates)."""

    discounts: tuple[int, ...]
    taxes: tuple[int, ...]
    taxable: int


def rounded(value: Decimal) -> int:
    """Return the nearest integer, halves away from zero.

    >>> rounded(Decimal("2.5")), rounded(Decimal("-2.5"))
    (3, -3)
    """
    return int(value.copy_abs() + Decimal("0.5")) * (-1 if value < 0 else 1)


def work_out(positions: Sequence[Position], cuts: Sequence[Cut]) -> list[Worked]:
    """Return what each position loses to the discounts, one after the other, and what tax its rest bears.

    >>> [each.discounts for each in work_out([Position(amount=1000), Position(amount=500)], [Cut(discount="d", amount=100)])]
    [(67,), (33,)]
    """
    rest = [each.amount for each in positions]
    taken: list[list[int]] = [[] for _ in positions]
    for cut in cuts:
        for place, amount in enumerate(_taken(positions, rest, cut)):
            taken[place].append(amount)
            rest[place] -= amount
    return [
        Worked(discounts=tuple(taken[place]), taxes=taxes(rest[place], each.rates), taxable=rest[place])
        for place, each in enumerate(positions)
    ]


def taxes(amount: int, rates: Sequence[Rate]) -> tuple[int, ...]:
    """Return the tax of each rate on an amount; several inclusive rates are taken out of it together.

    >>> taxes(12000, [Rate(tax_rate="t", percent=Decimal(20), is_inclusive=True)])
    (2000,)
    """
    inclusive = sum((each.percent for each in rates if each.is_inclusive), Decimal(0))
    net = Decimal(amount) / (1 + inclusive / 100)
    return tuple(rounded((net if inclusive else Decimal(amount)) * each.percent / 100) for each in rates)


def allocate(whole: int, weights: Sequence[int]) -> list[int]:
    """Split a whole by weights so that the parts add up; what rounding leaves goes to the largest remainders, first ones first.

    >>> allocate(100, [1, 1, 1])
    [34, 33, 33]
    """
    total = sum(weights)
    if total == 0:
        return [0] * len(weights)
    parts = [whole * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda place: -(whole * weights[place] % total))
    for place in by_remainder[: whole - sum(parts)]:
        parts[place] += 1
    return parts


def _taken(positions: Sequence[Position], rest: Sequence[int], cut: Cut) -> list[int]:
    bases = [_base(each, left, cut) for each, left in zip(positions, rest, strict=True)]
    if cut.percent is not None:
        return [rounded(base * cut.percent / 100) for base in bases]
    return allocate(min(cut.amount, sum(bases)), bases)


def _base(position: Position, rest: int, cut: Cut) -> int:
    is_meant = cut.products is None or position.product in cut.products
    return max(0, rest) if position.is_discountable and is_meant else 0
