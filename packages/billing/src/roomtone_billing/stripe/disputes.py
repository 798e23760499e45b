"""Disputes at Stripe, and the charges they are about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..dispute import Dispute, DisputeState
from ..errors import GatewayRefused, MalformedTruth
from .connection import PAGE_MAX, Connection, asking, plain

# The metadata of a charge that says since when its dispute is forgiven: it goes with the truth, and charges are listed anyway.
FORGIVEN_AT = "dispute_forgiven_at"
# Of one customer's disputed charges, so many are asked about: more is not one customer.
_ASKED_MAX = 20
_STATES = {
    "warning_needs_response": DisputeState.inquiry,
    "warning_under_review": DisputeState.inquiry,
    "warning_closed": DisputeState.dropped,
    "needs_response": DisputeState.open,
    "under_review": DisputeState.open,
    "prevented": DisputeState.dropped,
    "won": DisputeState.won,
    "lost": DisputeState.lost,
}


class StripeDisputes(Connection):
    """Disputes; Stripe lists them by charge and not by customer."""

    def customer_of(self, charge: str) -> str | None:
        """The charge's customer."""
        try:
            with asking():
                found = self._client.charges.retrieve(charge).to_dict().get("customer")
        except GatewayRefused as error:
            if error.code != "resource_missing":
                raise
            return None
        return found["id"] if isinstance(found, Mapping) else found

    def forgive_charge(self, charge: str, *, at: datetime) -> None:
        """Write it into the charge's metadata."""
        with asking():
            self._client.charges.update(charge, {"metadata": {FORGIVEN_AT: str(int(at.timestamp()))}})

    def _disputes(self, charges: Iterable[Mapping[str, Any]]) -> Sequence[Dispute]:
        """The disputes of the newest 20 disputed charges: one call for each."""
        found: list[Dispute] = []
        for charge in [one for one in charges if one.get("disputed")][:_ASKED_MAX]:
            listed = plain(self._client.disputes.list({"charge": charge["id"], "limit": PAGE_MAX}).data)
            found += [dispute(one, charge) for one in listed]
        return found


def dispute(thing: Mapping[str, Any], charge: Mapping[str, Any]) -> Dispute:
    """One dispute of a charge.

    Raises:
        MalformedTruth: its status is unknown, or a field it must have is absent.
    """
    try:
        intent, due = charge["payment_intent"], (thing.get("evidence_details") or {}).get("due_by")
        noted = (charge.get("metadata") or {}).get(FORGIVEN_AT) or ""
        return Dispute(
            id=thing["id"],
            payment=(intent["id"] if isinstance(intent, Mapping) else intent) or charge["id"],
            amount_minor=thing["amount"],
            currency=thing["currency"].upper(),
            reason=thing["reason"],
            state=_STATES[thing["status"]],
            created_at=datetime.fromtimestamp(thing["created"], UTC),
            evidence_due_at=datetime.fromtimestamp(due, UTC) if due else None,
            forgiven_at=datetime.fromtimestamp(int(noted), UTC) if noted.isdigit() else None,
        )
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise MalformedTruth(f"dispute {thing.get('id')}", f"{type(error).__name__} {error}") from error
