"""Changes to who the studio is."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from studio.contexts.settings.models import SINGLETON_ID, StudioSettings
from studio.contexts.settings.rules import DEFAULT_ACCENT, is_colour
from studio.contexts.settings.steps import Step
from studio.errors import BadInput, NotFound


def initialise(db: Session, *, name: str, timezone: str, currency: str, locale: str) -> None:
    """Write a new studio's settings row; when it is there already, leave it as it is.

    Raises:
        BadInput: `timezone` is no IANA name.
    """
    _check_zone(timezone)
    if db.get(StudioSettings, SINGLETON_ID) is not None:
        return
    row = StudioSettings(
        id=SINGLETON_ID, name=name, timezone=timezone, currency=currency.upper(), locale=locale, accent=DEFAULT_ACCENT, onboarding={}
    )
    db.add(row)
    db.flush()


def save_step(db: Session, step: Step) -> None:
    """Remember that a set-up step was saved; again is the same."""
    row = _row(db)
    if not row.onboarding.get(step):
        row.onboarding = {**row.onboarding, step.value: True}
        db.flush()


def set_accent(db: Session, accent: str) -> None:
    """Change the studio's colour.

    Raises:
        BadInput: it is not `#rrggbb`.
    """
    if not is_colour(accent.lower()):
        raise BadInput("accent", _("Give the colour as # and six hexadecimal digits, such as #6d5dfc."))
    row = _row(db)
    row.accent = accent.lower()
    db.flush()


def _row(db: Session) -> StudioSettings:
    row = db.get(StudioSettings, SINGLETON_ID)
    if row is None:
        raise NotFound("This studio's database has no settings row; its provisioning did not finish.")
    return row


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadInput("timezone", _("There is no time zone called %(name)s.", name=name)) from error
