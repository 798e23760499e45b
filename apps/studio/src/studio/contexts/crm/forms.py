"""The form of a client."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import EmailField, HiddenField, RadioField, StringField, TelField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its stubs
from wtforms.validators import DataRequired, Email, Length, Optional

from studio.web.forms import StudioForm


class ClientForm(StudioForm):
    """A person or a company."""

    version = HiddenField(default="1")
    kind = RadioField(_l("Kind"), choices=[SelectChoice("person", _l("Person")), SelectChoice("company", _l("Company"))], default="person")
    name = StringField(_l("Name"), [DataRequired(_l("Enter a name.")), Length(max=200)])
    email = EmailField(_l("E-mail"), [Optional(), Email(_l("Enter an e-mail address such as name@example.com.")), Length(max=254)])
    phone = TelField(_l("Phone"), [Optional(), Length(max=40)])
    notes = TextAreaField(_l("Notes"), [Optional(), Length(max=5000)])
