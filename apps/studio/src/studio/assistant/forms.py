"""The assistant's form."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import HiddenField, StringField
from wtforms.validators import Length, Optional, Regexp

from studio.assistant.rules import QUESTION_LENGTH_MAX
from studio.web.forms import StudioForm


class TurnForm(StudioForm):
    """A question. What it says is checked by the use case; here, that its hidden fields are ours."""

    key = HiddenField(validators=[Regexp(r"^[0-9a-f-]{36}$")])
    conversation = HiddenField(validators=[Optional(), Length(max=36)])
    question = StringField(_l("Question"), render_kw={"maxlength": QUESTION_LENGTH_MAX})
