"""Control endpoints for scripts and tests: advance time, decline a customer's cards, look at the state."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response, jsonify, request

from ..errors import StripeError
from ..resources import deliveries
from .host import host

pages = Blueprint("control", __name__)
SHOWN = ("customer", "subscription", "invoice", "checkout.session", "event", "delivery")


@pages.errorhandler(StripeError)
def refused(error: StripeError) -> tuple[Response, int]:
    """Scripts get the error as JSON."""
    return jsonify(error.body()), error.status


@pages.post("/offline/advance")
def advance() -> tuple[Response, int]:
    """Move the clock by `{"seconds": n}`."""
    seconds = _json().get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return jsonify(error={"message": 'Send {"seconds": n} with a number.'}), 400
    host().advance(seconds)
    return jsonify(now=host().now.isoformat()), 200


@pages.get("/offline/state")
def state() -> Response:
    """Return the time, how many objects of each kind there are, and what waits for delivery."""
    with host().lock:
        store = host().world.store
        waiting = sum(1 for _ in store.where(deliveries.KIND, state=deliveries.WAITING))
        counts = {kind: len(store.all(kind)) for kind in SHOWN}
        return jsonify(now=host().now.isoformat(), counts=counts, undelivered=waiting, is_stripe=False)


@pages.post("/offline/customers/<customer_id>/decline")
def decline(customer_id: str) -> tuple[Response, int]:
    """Decline this customer's cards from now on (`{"decline": true}`), or stop."""
    wanted = _json().get("decline")
    if not isinstance(wanted, bool):
        return jsonify(error={"message": 'Send {"decline": true} or {"decline": false}.'}), 400
    host().decline(customer_id, declining=wanted)
    return jsonify(customer=customer_id, decline=wanted), 200


def _json() -> Mapping[str, object]:
    body = request.get_json(silent=True)
    return body if isinstance(body, dict) else {}
