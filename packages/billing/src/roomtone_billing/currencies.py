"""What a currency's smallest unit is. Amounts are whole numbers of it, everywhere; nothing is ever multiplied by 100.

Source: https://docs.stripe.com/currencies
"""

from __future__ import annotations

_NONE = frozenset({"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"})
_THREE = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
# Kept with two decimals at Stripe, which must be 00.
_WHOLE = frozenset({"ISK"})


def decimals(currency: str) -> int:
    """How many decimals an amount has: 2 of EUR, 0 of JPY, 3 of KWD."""
    if currency in _NONE:
        return 0
    return 3 if currency in _THREE else 2


def step(currency: str) -> int:
    """The smallest amount Stripe takes a multiple of, in minor units: 1 of most, 10 of KWD, 100 of ISK."""
    if currency in _THREE:
        return 10
    return 100 if currency in _WHOLE else 1
