"""What the offline Stripe answers when it does not do as asked.

StripeError                 any answer with Stripe's error body; `status` is the HTTP status
├── InvalidRequest          400/401/403/404: the caller is wrong (missing object, unknown or bad parameter, bad key)
├── IdempotencyMismatch     400: an idempotency key came back with other parameters
├── CardDeclined            402: the card's bank, or the card's test number, says no
├── NotSupported            501: Stripe can do it, the offline Stripe does not (it never approximates)
├── RateLimited             429: more than the account may ask for, because a fault was set
├── ServerFault             500: a fault was set; what the request did may have happened
├── ShapeMismatch           500: our own mistake, an object that Stripe's document does not allow; raised at the caller, never sent
└── OfflineOnly             403: someone treats it as the real Stripe (not loopback, not a test key)
"""

from __future__ import annotations

from typing import Any


class StripeError(Exception):
    """An answer with Stripe's error body.

    `is_recorded` says that what happened before the refusal stays (a declined attempt is part of an invoice's history); otherwise the
    request leaves no trace.
    """

    status = 400
    kind = "invalid_request_error"
    is_recorded = False

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None, status: int | None = None, **more: Any) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        self.status = status or self.status
        self.more = more

    def body(self) -> dict[str, Any]:
        """Return the JSON body."""
        facts = {"type": self.kind, "message": self.message, "code": self.code, "param": self.param, **self.more}
        return {"error": {name: value for name, value in facts.items() if value is not None}}


class InvalidRequest(StripeError):
    """The caller sent something that Stripe would refuse."""


class IdempotencyMismatch(StripeError):
    """An idempotency key was used before with other parameters."""

    kind = "idempotency_error"


class CardDeclined(StripeError):
    """The payment did not go through; `code` and `more["decline_code"]` say why."""

    status = 402
    kind = "card_error"

    def __init__(self, message: str, *, is_recorded: bool = False, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.is_recorded = is_recorded


class NotSupported(StripeError):
    """Stripe knows the request; the offline Stripe refuses rather than approximate it."""

    status = 501

    def __init__(self, what: str, *, param: str | None = None) -> None:
        super().__init__(
            f"The offline Stripe does not support {what}. Use Stripe's own sandbox for it, or leave it out.",
            code="offline_not_supported",
            param=param,
        )


class OfflineOnly(StripeError):
    """The offline Stripe serves test keys on the loopback interface only."""

    status = 403


class RateLimited(StripeError):
    """Too many requests, as a set fault has it."""

    status = 429
    kind = "invalid_request_error"

    def __init__(self) -> None:
        super().__init__("Request rate limit exceeded (a fault that you set on the offline Stripe). Try again later.", code="rate_limit")


class ServerFault(StripeError):
    """Stripe fails, as a set fault has it."""

    status = 500
    kind = "api_error"

    def __init__(self) -> None:
        super().__init__("Something went wrong on the offline Stripe's side, because you set this fault.")


class ShapeMismatch(StripeError):
    """An answer or payload is not one of Stripe's; `problems` says what is wrong with it, one sentence each."""

    status = 500
    kind = "api_error"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("The offline Stripe made an object that Stripe's document refuses; please report it. " + "; ".join(problems[:5]))
        self.problems = problems


def missing(kind: str, object_id: str, *, param: str = "id") -> InvalidRequest:
    """Return Stripe's answer for an object that does not exist."""
    return InvalidRequest(f"No such {kind}: '{object_id}'", code="resource_missing", param=param, status=404)
