"""Amounts as people read them."""

from __future__ import annotations

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
