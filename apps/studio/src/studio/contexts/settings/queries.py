"""What the rest of the app may know about the studio."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from studio.contexts.settings.models import SINGLETON_ID, StudioSettings
from studio.contexts.settings.rules import text_on
from studio.contexts.settings.steps import Step, next_step
from studio.errors import NotFound


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The studio's identity and formats.

    Attributes:
        accent_text: black or white, whichever is readable on the accent.
        saved_steps: set-up steps that were saved.
    """

    name: str
    timezone: str
    currency: str
    locale: str
    accent: str
    accent_text: str
    saved_steps: frozenset[str]
    version: int

    @property
    def zone(self) -> ZoneInfo:
        """The time zone that every time is shown in."""
        return ZoneInfo(self.timezone)

    @property
    def next_step(self) -> Step | None:
        """The set-up step to do next; None when the studio is set up."""
        return next_step(self.saved_steps)


def load(db: Session) -> Settings:
    """The studio's settings.

    Raises:
        NotFound: `service.initialise` never ran on this database.
    """
    row = db.get(StudioSettings, SINGLETON_ID)
    if row is None:
        raise NotFound("This studio's database has no settings row; its provisioning did not finish.")
    return Settings(
        name=row.name,
        timezone=row.timezone,
        currency=row.currency,
        locale=row.locale,
        accent=row.accent,
        accent_text=text_on(row.accent),
        saved_steps=frozenset(step for step, saved in row.onboarding.items() if saved),
        version=row.version,
    )
