"""Disputes: a cardholder takes a charge back through the bank. They begin with the test card that is made for it."""

from __future__ import annotations

from ..errors import InvalidRequest
from ..objects import Object, merged_metadata
from ..shapes import blank
from ..specification import Specification
from ..world import World
from . import charges, events

KIND = "dispute"
DUE_S = 9 * 86400


def create(world: World, charge: Object, *, reason: str = "fraudulent") -> Object:
    """Open a dispute over a whole charge."""
    evidence = Specification().schemas["dispute_evidence"]["properties"]
    dispute = world.store.add(
        KIND,
        {
            **blank(KIND),
            "id": world.new_id("du"),
            "amount": charge["amount"],
            "balance_transactions": [],
            "charge": charge["id"],
            "created": world.now,
            "currency": charge["currency"],
            "enhanced_eligibility_types": [],
            "evidence": {**dict.fromkeys(evidence), "enhanced_evidence": {}},
            "evidence_details": {
                "due_by": world.now + DUE_S,
                "enhanced_eligibility": {},
                "has_evidence": False,
                "past_due": False,
                "submission_count": 0,
            },
            "is_charge_refundable": False,
            "livemode": False,
            "metadata": {},
            "payment_intent": charge["payment_intent"],
            "reason": reason,
            "status": "needs_response",
        },
    )
    world.store.change(charges.KIND, charge["id"], disputed=True)
    events.emit(world, "charge.dispute.created", dispute)
    return dispute


def update(world: World, dispute_id: str, params: Object) -> Object:
    """Put evidence in, and hand it over when asked: the documented texts decide the outcome at once.

    Source: https://docs.stripe.com/testing#disputes
    """
    before = world.store.get(KIND, dispute_id)
    _refuse_closed(before)
    given = params.get("evidence", {})
    details = {**before["evidence_details"], "has_evidence": bool(given) or before["evidence_details"]["has_evidence"]}
    changes: Object = {"evidence": {**before["evidence"], **given}, "evidence_details": details}
    if "metadata" in params:
        changes["metadata"] = merged_metadata(before["metadata"], params["metadata"])
    if given and params.get("submit", True):
        changes["evidence_details"] = {**details, "submission_count": details["submission_count"] + 1}
        changes["status"] = "under_review"
    after = world.store.change(KIND, dispute_id, **changes)
    events.emit(world, "charge.dispute.updated", after, before=before)
    outcome = {"winning_evidence": "won", "losing_evidence": "lost"}.get(str(given.get("uncategorized_text")))
    return _end(world, dispute_id, outcome) if outcome and changes.get("status") else after


def close(world: World, dispute_id: str) -> Object:
    """Give in: the dispute is lost."""
    _refuse_closed(world.store.get(KIND, dispute_id))
    return _end(world, dispute_id, "lost")


def _end(world: World, dispute_id: str, outcome: str) -> Object:
    dispute = world.store.change(KIND, dispute_id, status=outcome)
    if outcome == "won":
        world.store.change(charges.KIND, dispute["charge"], disputed=False)
    events.emit(world, "charge.dispute.closed", dispute)
    return dispute


def _refuse_closed(dispute: Object) -> None:
    if dispute["status"] in ("won", "lost"):
        raise InvalidRequest(f"This dispute is {dispute['status']} and can no longer be changed.")
