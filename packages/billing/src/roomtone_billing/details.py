"""Who an account is on its invoices: values, and what is wrong with them in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .errors import InvalidDetails

_COUNTRY = re.compile(r"[A-Z]{2}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_LANGUAGE = re.compile(r"[a-z]{2}(-[A-Z]{2}|-419)?")
# Those that can be told from a typing error without asking anybody; of the others Stripe knows more.
_FORMS = {
    "eu_vat": (r"[A-Z]{2}[0-9A-Z+*]{2,12}", "a country and 2 to 12 letters or digits, such as DE123456789"),
    "gb_vat": (r"GB(\d{9}|\d{12})", "GB and 9 or 12 digits, such as GB123456789"),
    "ch_vat": (r"CHE-?\d{3}\.?\d{3}\.?\d{3}(MWST|TVA|IVA)", "such as CHE-123.456.789 MWST"),
    "us_ein": (r"\d{2}-?\d{7}", "nine digits, such as 12-3456789"),
}
_TEXT_MAX = 500


@dataclass(frozen=True, kw_only=True)
class Address:
    """A place; `country` is ISO 3166-1 with two letters, and is what taxes depend on first."""

    country: str
    line1: str | None = None
    line2: str | None = None
    city: str | None = None
    postal_code: str | None = None
    state: str | None = None


@dataclass(frozen=True, kw_only=True)
class TaxId:
    """A tax id under Stripe's name of its kind: `eu_vat`, `gb_vat`, `us_ein`, …"""

    kind: str
    value: str

    @property
    def normal(self) -> TaxId:
        """Without spaces, in capitals: as it is compared."""
        return TaxId(kind=self.kind, value="".join(self.value.split()).upper())


def check(*, email: str | None, name: str | None, address: Address | None, tax_ids: Iterable[TaxId], language: str | None) -> None:
    """Raise `InvalidDetails` for the first thing that is wrong."""
    if email is not None and not _EMAIL.fullmatch(email):
        raise InvalidDetails("email", f"{email!r} is no e-mail address; write one such as name@example.com")
    if name is not None and not 0 < len(name.strip()) <= _TEXT_MAX:
        raise InvalidDetails("name", f"write the name that invoices are for, in 1 to {_TEXT_MAX} characters")
    if address is not None and not _COUNTRY.fullmatch(address.country):
        raise InvalidDetails("country", f"{address.country!r} is no country; write its two capital letters, such as DE")
    if language is not None and not _LANGUAGE.fullmatch(language):
        raise InvalidDetails("language", f"{language!r} is no language; write one such as de or pt-BR")
    for one in tax_ids:
        form, example = _FORMS.get(one.kind, (r".+", ""))
        if not re.fullmatch(form, one.normal.value):
            raise InvalidDetails("tax_ids", f"{one.value!r} is no {one.kind}; write {example or 'the number on the certificate'}")
