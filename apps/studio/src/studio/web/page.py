"""What templates may use: formats for money and time, assets by their built name, and the facts of the page's frame."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel import dates, numbers
from flask import Flask, g, url_for
from flask_babel import get_locale

from roomtone_ai_credits import CREDIT
from studio.errors import SetupError
from studio.web.request import current_studio, services

DIST = Path(__file__).parent / "static" / "dist"
UTC = ZoneInfo("UTC")


def money(amount_minor: int, currency: str = "EUR") -> str:
    """An amount in minor units as the page's language writes it: 1900, EUR → '19,00 €'. Whole amounts keep their decimals."""
    digits = numbers.get_currency_precision(currency)
    return numbers.format_currency(Decimal(amount_minor).scaleb(-digits), currency, locale=get_locale())


def studio_zone() -> ZoneInfo:
    """The current studio's time zone; UTC where no studio is in scope."""
    found: ZoneInfo = g.get("zone", UTC)
    return found


def local(instant: datetime) -> datetime:
    """The instant on the studio's wall clock."""
    return instant.astimezone(studio_zone())


def local_time(instant: datetime) -> str:
    """The time of day in the studio's zone, as the page's language writes it."""
    return dates.format_time(local(instant), "short", locale=get_locale())


def local_date(value: datetime | date, pattern: str = "full") -> str:
    """The day in the studio's zone, written out (`full`, `long`, `medium` or `short`)."""
    day = local(value).date() if isinstance(value, datetime) else value
    return dates.format_date(day, pattern, locale=get_locale())


def local_datetime(instant: datetime) -> str:
    """Day and time in the studio's zone."""
    return dates.format_datetime(local(instant), "medium", locale=get_locale())


def duration(value: timedelta | int) -> str:
    """A length of time, given as a timedelta or in minutes: 90 → '1 h 30 min'."""
    minutes = value if isinstance(value, int) else int(value.total_seconds() // 60)
    hours, rest = divmod(minutes, 60)
    parts = [f"{hours} h"] if hours else []
    return " ".join([*parts, f"{rest} min"] if rest or not hours else parts)


def credit_amount(amount_micro: int) -> str:
    """Micro-credits as credits, at most two decimals: 1500000 → '1.5'."""
    return numbers.format_decimal(Decimal(amount_micro) / CREDIT, format="#,##0.##", locale=get_locale())


@lru_cache(maxsize=4)
def _manifest(modified_ns: int) -> dict[str, str]:  # noqa: ARG001  # the key that makes a new build seen
    built: dict[str, str] = json.loads((DIST / "manifest.json").read_text())
    return built


def asset(name: str) -> str:
    """The address of a built file, whose name holds its content's hash.

    Raises:
        SetupError: the front end was not built.
    """
    try:
        built = _manifest((DIST / "manifest.json").stat().st_mtime_ns)
        return url_for("static", filename=f"dist/{built[name]}")
    except (FileNotFoundError, KeyError) as error:
        raise SetupError(f"The front end is not built ({name} is missing). Run `studio build`.") from error


def install(app: Flask) -> None:
    """Give the app's templates these names."""
    for function in (money, local_time, local_date, local_datetime, duration):
        app.jinja_env.filters[function.__name__] = function
    app.jinja_env.filters["credits"] = credit_amount
    app.jinja_env.globals["asset"] = asset
    app.context_processor(_frame)


def _frame() -> dict[str, Any]:  # Any: template variables are of all types
    """The variables of the page's frame: who, where, and what is left."""
    settings = services().settings
    frame: dict[str, Any] = {
        "actor": g.get("actor"),
        "is_demo": settings.demo,
        "platform_url": settings.url,
        "studio": None,
        "access": None,
        "credits_left": None,
    }
    if g.get("tenant_key"):
        studio = current_studio()
        frame |= {"studio": studio, "access": studio.access, "now": services().clock()}
        if g.get("actor"):
            frame["credits_left"] = services().credits.balance(studio.key).available // CREDIT
    return frame
