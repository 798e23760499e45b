"""The webhook endpoint as a Flask blueprint; needs the extra `flask`."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, current_app, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import RequestEntityTooLarge

from .billing import Billing
from .errors import WebhookError
from .inbox import PAYLOAD_BYTES_MAX

# What one request may do besides storing its event, with `inline`.
INLINE_STEPS_MAX = 20


def blueprint(
    billing: Billing, on_stored: Callable[[], None] | None = None, *, path: str = "/stripe/webhook", inline: bool = False
) -> Blueprint:
    """A blueprint with one route, `POST path`, for Stripe to call. Exempt it from CSRF protection.

    It answers 200 when the event is stored, now or before, and 400 to everything malformed, unsigned or longer than 256 KiB. While the
    database cannot store anything it answers 503, and Stripe sends the event again.

    Args:
        on_stored: called after each event accepted, to wake a worker, also for one sent again: whoever took it first may have died
            before waking anybody.
        inline: for small hosts without a worker: the request that brought an event also works, once the event is stored, at most 20
            steps of each kind. What fails is logged and taken up by a later request or by `sweep`; the event is acknowledged either way.
    """
    pages = Blueprint("billing", __name__)

    @pages.post(path)
    def webhook() -> tuple[str, int]:
        request.max_content_length = PAYLOAD_BYTES_MAX
        try:
            billing.receive(request.get_data(cache=False), request.headers.get("Stripe-Signature"))
        except RequestEntityTooLarge:
            return "the body is too long", 400
        except WebhookError as error:
            return str(error), 400
        except SQLAlchemyError:
            current_app.logger.exception("a webhook could not be stored; Stripe will send it again")
            return "not stored", 503
        if on_stored is not None:
            on_stored()
        if inline:
            try:
                billing.work(INLINE_STEPS_MAX)
            except Exception:
                current_app.logger.exception("a stored webhook is not worked off yet; a later one or `sweep` will")
        return "", 200

    return pages
