"""Forms of the studio's own settings."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import ColorField
from wtforms.validators import DataRequired

from studio.web.forms import StudioForm


class LookForm(StudioForm):
    """How the studio looks."""

    accent = ColorField(_l("Accent colour"), [DataRequired()])
