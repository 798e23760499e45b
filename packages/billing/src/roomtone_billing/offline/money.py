"""Amounts as people read them."""

from __future__ import annotations

from decimal import Decimal

ZERO_DECIMAL = frozenset(["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf"])
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
SYMBOLS = {"eur": "€", "usd": "$", "gbp": "£"}


def format_amount(amount: int, currency: str) -> str:
    """Return minor units as text.

    >>> format_amount(-2950, "eur"), format_amount(500, "jpy"), format_amount(100000, "chf"), format_amount(5910, "kwd")
    ('−€29.50', '500 JPY', '1,000.00 CHF', '5.910 KWD')
    """
    sign = "−" if amount < 0 else ""
    digits = _digits(currency)
    whole, cents = divmod(abs(amount), 10**digits)
    number = f"{whole:,}.{cents:0{digits}}" if digits else f"{whole:,}"
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
    number = f"{(amount / 10 ** _digits(currency)).normalize():f}"
    symbol = SYMBOLS.get(currency)
    return f"{symbol}{number}" if symbol else f"{number} {currency.upper()}"


def _digits(currency: str) -> int:
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2
