"""The blueprint of scheduling, and what its pages share."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, flash, redirect, request
from werkzeug.wrappers import Response as BaseResponse

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
    """Say that something was done: in place for htmx, by a redirect to `target` otherwise."""
    if not is_fragment():
        flash(message, "success")
        return redirect(target, 303)
    events: dict[str, Any] = {"drawer:close": {}, "calendar:refresh": {}, "toast": {"text": message, "tone": "success"}}  # Any: JSON
    return Response(status=204, headers={"HX-Trigger": json.dumps(events)})
