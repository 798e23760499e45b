"""Amounts as people read them."""

from __future__ import annotations

from decimal import Decimal

ZERO_DECIMAL = frozenset(["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf"])
SYMBOLS = {"eur": "€", "usd": "$", "gbp": "£"}


def format_amount(amount: int, currency: str) -> str:
    """Return minor units as text.

    >>> format_amount(-2950, "eur"), format_amount(500, "jpy"), format_amount(100000, "chf")
    ('−€29.50', '500 JPY', '1,000.00 CHF')
    """
    sign = "−" if amount < 0 else ""
    whole, cents = divmod(abs(amount), 1 if currency in ZERO_DECIMAL else 100)
    number = f"{whole:,}" if currency in ZERO_DECIMAL else f"{whole:,}.{cents:02}"
    symbol = SYMBOLS.get(currency)
    return f"{sign}{symbol}{number}" if symbol else f"{sign}{number} {currency.upper()}"


def format_unit(minor: str, currency: str) -> str:
    """Return a unit's price, which may be a part of a minor unit, as text.

    >>> format_unit("2950", "eur"), format_unit("0.5", "eur")
    ('€29.50', '€0.005')
    """
    amount = Decimal(minor)
    if amount == amount.to_integral_value():
        return format_amount(int(amount), currency)
    number = f"{(amount if currency in ZERO_DECIMAL else amount / 100).normalize():f}"
    symbol = SYMBOLS.get(currency)
    return f"{symbol}{number}" if symbol else f"{number} {currency.upper()}"
