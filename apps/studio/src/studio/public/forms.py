"""The form of someone who books a room."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import EmailField, HiddenField, StringField, TelField, TextAreaField
from wtforms.validators import DataRequired, Email, Length, Optional

from studio.web.forms import StudioForm


class BookForm(StudioForm):
    """Who books; what they book is in the hidden fields."""

    token = HiddenField(validators=[DataRequired(), Length(min=8, max=64)])
    room = HiddenField(validators=[DataRequired()])
    start = HiddenField(validators=[DataRequired()])
    minutes = HiddenField(validators=[DataRequired()])
    name = StringField(_l("Your name"), [DataRequired(_l("Enter your name.")), Length(max=200)])
    email = EmailField(
        _l("E-mail"),
        [DataRequired(_l("Enter your e-mail.")), Email(_l("Enter an e-mail address such as name@example.com.")), Length(max=254)],
        description=_l("The confirmation is sent there."),
    )
    phone = TelField(_l("Phone"), [Optional(), Length(max=40)])
    notes = TextAreaField(_l("What do you plan?"), [Optional(), Length(max=1000)])
