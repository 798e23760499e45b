"""Forms of sign-up and sign-in."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import EmailField, HiddenField, PasswordField, RadioField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its stubs
from wtforms.validators import DataRequired, Email, Length

from studio.platform.passwords import LENGTH_MAX, LENGTH_MIN
from studio.web.forms import StudioForm

_email = [DataRequired(_l("Enter an e-mail address.")), Email(_l("Enter an e-mail address such as name@example.com.")), Length(max=254)]


class SignUpForm(StudioForm):
    """A studio, its owner and the plan to try."""

    attempt = HiddenField(validators=[DataRequired(), Length(min=8, max=64)])
    studio_name = StringField(_l("Studio name"), [DataRequired(_l("Enter the studio's name.")), Length(max=80)])
    slug = StringField(_l("Address"), [DataRequired(_l("Choose an address.")), Length(max=60)])
    person_name = StringField(_l("Your name"), [DataRequired(_l("Enter your name.")), Length(max=80)])
    email = EmailField(_l("E-mail"), _email)
    password = PasswordField(
        _l("Password"),
        [DataRequired(_l("Choose a password.")), Length(LENGTH_MIN, LENGTH_MAX, _l("Use between %(min)d and %(max)d characters."))],
    )
    plan = RadioField(_l("Plan"), choices=[SelectChoice("starter", "Starter"), SelectChoice("pro", "Pro")], default="starter")
    interval = RadioField(
        _l("Billing"), choices=[SelectChoice("month", _l("Monthly")), SelectChoice("year", _l("Yearly"))], default="month"
    )


class DomainForm(StudioForm):
    """An address that a studio says is its own."""

    host = StringField(_l("Address"), [DataRequired(_l("Enter an address such as studio.example.com.")), Length(max=253)])


class SignInForm(StudioForm):
    """E-mail and password."""

    email = EmailField(_l("E-mail"), _email)
    password = PasswordField(_l("Password"), [DataRequired(_l("Enter your password.")), Length(max=LENGTH_MAX)])
