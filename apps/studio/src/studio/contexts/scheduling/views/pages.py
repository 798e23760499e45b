"""The blueprint of scheduling, and what its pages share."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, flash, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from studio.contexts.scheduling.errors import span_text
from studio.contexts.scheduling.shapes import BookingView
from studio.contexts.scheduling.values import is_bookable
from studio.contexts.settings.queries import Settings
from studio.web.request import current_studio

blueprint = Blueprint("scheduling", __name__, template_folder="../templates")


def now() -> datetime:
    """The instant that pages and rules go by."""
    return datetime.now(UTC)


def is_fragment() -> bool:
    """Whether htmx asked, for a part of a page."""
    return "HX-Request" in request.headers


def is_writable() -> bool:
    """Whether the studio's plan lets its staff change anything."""
    return current_studio().access.may_write


def done(message: str, target: str) -> BaseResponse:
    """Say that something was done: in place beside the calendar, by going on to `target` from a page that is only a form."""
    if not is_fragment():
        flash(message, "success")
        return redirect(target, 303)
    if urlsplit(request.headers.get("HX-Current-URL", "")).path == url_for("scheduling.new"):
        flash(message, "success")
        return Response(status=204, headers={"HX-Redirect": target})
    events: dict[str, Any] = {"drawer:close": {}, "calendar:refresh": {}, "toast": {"text": message, "tone": "success"}}  # Any: JSON
    return Response(status=204, headers={"HX-Trigger": json.dumps(events)})


def when(found: BookingView, settings: Settings) -> str:
    """A booking's time in words, on the studio's wall clock."""
    return span_text(found.span, settings.zone)


def wall_argument(name: str) -> datetime | None:
    """A wall-clock time from the address or the form; None when it is missing or no time."""
    try:
        found = datetime.fromisoformat(request.values.get(name, "")).replace(second=0, microsecond=0, tzinfo=None)
    except ValueError:
        return None
    return found if is_bookable(found.date()) else None
