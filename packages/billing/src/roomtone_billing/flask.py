"""The webhook endpoint as a Flask blueprint; needs the extra `flask`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import Blueprint, current_app, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, ServiceUnavailable

from .billing import Billing
from .decision import Decision, Source
from .entitlement import require_feature
from .errors import EntitlementsUnavailable, WebhookError
from .inbox import PAYLOAD_BYTES_MAX

P = ParamSpec("P")
R = TypeVar("R")

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


class Refusal(HTTPException):
    """Why a guarded view did not run; `decision` says it all, and `description` its sentence. Its code is 402 or 403."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.reason)
        self.decision = decision
        # What somebody took away by name cannot be had for money.
        self.code = 403 if decision.source is Source.override else 402


def requires(feature: str, amount: int = 1, *, billing: Billing, account: Callable[[], str]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A guard for views: the view runs when the account may use the feature now; nothing is counted.

    Refused with 402 where paying or another plan helps, with 403 where somebody took the feature away, with 503 while the database cannot
    say. Register an error handler for `Refusal` to answer with a page of your own.

    Args:
        account: whose request it is, asked for each.
    Raises:
        UnknownFeature: at once, where the view is defined, since no plan names the feature.
    """
    require_feature(billing.catalogue, feature)

    def guard(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                decision = billing.account(account()).check(feature, amount)
            except EntitlementsUnavailable as error:
                raise ServiceUnavailable("What the account may use cannot be found out now; try again in a moment.") from error
            if not decision.allowed:
                raise Refusal(decision)
            return view(*args, **kwargs)

        return guarded

    return guard
