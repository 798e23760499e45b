"""Forms of card payments: where the studio is at home, what is asked of a client, and how much goes back."""

from __future__ import annotations

from flask_babel import get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import EmailField, HiddenField, SelectField, StringField
from wtforms.validators import DataRequired, Email, InputRequired, Length, Optional, ValidationError

from studio.contexts.scheduling.fields import MoneyField, options
from studio.web.forms import StudioForm

# Where businesses can take cards this way.
COUNTRIES = [
    "AT",
    "AU",
    "BE",
    "BG",
    "CA",
    "CH",
    "CY",
    "CZ",
    "DE",
    "DK",
    "EE",
    "ES",
    "FI",
    "FR",
    "GB",
    "GI",
    "GR",
    "HK",
    "HR",
    "HU",
    "IE",
    "IT",
    "JP",
    "LI",
    "LT",
    "LU",
    "LV",
    "MT",
    "MX",
    "NL",
    "NO",
    "NZ",
    "PL",
    "PT",
    "RO",
    "SE",
    "SG",
    "SI",
    "SK",
    "US",
]


class SetUpForm(StudioForm):
    """Where the studio is at home."""

    country = SelectField(_l("Country of your business"), description=_l("It cannot be changed later."))

    def offer_countries(self) -> None:
        """Fill in the countries, in the page's language and order."""
        names = get_locale().territories
        self.country.choices = options(sorted(((code, names[code]) for code in COUNTRIES), key=lambda pair: pair[1]))


class AskForm(StudioForm):
    """How much, of whom, and what for."""

    key = HiddenField(validators=[DataRequired(), Length(min=8, max=64)])
    booking = HiddenField(validators=[Length(max=36)])
    client_name = StringField(_l("Client"), [DataRequired(_l("Enter the client’s name.")), Length(max=200)])
    client_email = EmailField(
        _l("E-mail"),
        [Optional(), Email(_l("Enter an e-mail address such as name@example.com.")), Length(max=254)],
        description=_l("The link is sent there, if you wish."),
    )
    description = StringField(_l("What for"), [DataRequired(_l("Say what it is for.")), Length(max=200)])
    reference = StringField(_l("Reference"), [Optional(), Length(max=60)], description=_l("A booking’s or an invoice’s number."))
    amount = MoneyField(_l("Amount"), [InputRequired(_l("Enter an amount such as 45 or 45.50."))])

    def validate_amount(self, field: MoneyField) -> None:
        """Nobody is asked for nothing.

        Raises:
            ValidationError: it is zero, or could not be read.
        """
        if not field.data:
            raise ValidationError(_("Enter an amount such as 45 or 45.50."))


class RefundForm(StudioForm):
    """How much goes back."""

    key = HiddenField(validators=[DataRequired(), Length(min=8, max=64)])
    amount = MoneyField(_l("Amount"), [InputRequired(_l("Enter an amount such as 45 or 45.50."))])
