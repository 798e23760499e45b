"""The form every page uses: CSRF by Flask-WTF, messages in the page's language, and errors a service can add."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import Field

from studio.errors import BadInput


class StudioForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF ships no types
    """A form with our conventions."""

    def add_error(self, error: BadInput) -> None:
        """Show a service's refusal at the field it names, or at the form when the form has no such field."""
        field: Field | None = getattr(self, error.field, None)
        if field is None:
            self.form_errors.append(str(error))
        else:
            field.errors = [*field.errors, str(error)]
