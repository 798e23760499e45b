"""What we keep of a client's payment."""

from __future__ import annotations

BASIS_POINTS = 100


def fee_minor(amount_minor: int) -> int:
    """Our fee of an amount, in the same minor units, rounded to the nearest; never more than the amount."""
    return min((amount_minor * BASIS_POINTS + 5_000) // 10_000, amount_minor)
