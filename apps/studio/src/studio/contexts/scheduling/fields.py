"""Parts of forms that WTForms lacks: amounts of money, and choices in one line."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from babel.numbers import format_decimal, get_currency_precision
from flask_babel import get_locale
from flask_babel import gettext as _
from wtforms import (
    Field,
)
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its stubs
from wtforms.widgets import TextInput

PRICE_MINOR_MAX = 100_000_000


def options(pairs: Iterable[tuple[object, str]]) -> list[SelectChoice]:
    """Values and labels as WTForms wants them."""
    return [SelectChoice(str(value), label) for value, label in pairs]


class MoneyField(Field):
    """An amount typed with a comma or a point; its data is minor units of `currency`, an int or None."""

    widget = TextInput()

    def __init__(
        self, label: str | None = None, validators: Any = None, currency: str = "EUR", **options: Any
    ) -> None:  # Any: WTForms' own
        super().__init__(label, validators, **options)
        self.currency = currency

    def use(self, currency: str) -> None:
        """Read and show amounts in this currency, known only once the studio is."""
        self.currency, self.process_errors = currency, []
        if self.raw_data:
            try:
                self.process_formdata(self.raw_data)
            except ValueError as error:
                self.process_errors.append(str(error))

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        if self.data is None:
            return ""
        digits = get_currency_precision(self.currency)
        pattern = "0." + "0" * digits if digits else "0"
        return str(format_decimal(Decimal(self.data).scaleb(-digits), pattern, locale=get_locale()))

    def process_formdata(self, valuelist: Iterable[str]) -> None:
        """Read what was typed.

        Raises:
            ValueError: it is no amount, negative, too large, or finer than the currency's smallest coin.
        """
        text = next(iter(valuelist), "").replace("\u202f", "").replace("\xa0", "").replace(" ", "").replace(",", ".")
        self.data = None
        if not text:
            return
        try:
            amount = Decimal(text).scaleb(get_currency_precision(self.currency))
        except InvalidOperation as error:
            raise ValueError(_("Enter an amount such as 45 or 45.50.")) from error
        if not amount.is_finite() or amount != amount.to_integral_value() or not 0 <= amount <= PRICE_MINOR_MAX:
            raise ValueError(_("Enter an amount such as 45 or 45.50."))
        self.data = int(amount)
