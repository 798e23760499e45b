"""Changes of what a subscription sells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..errors import GatewayRefused
from ..gateway import PreviewedInvoice, PreviewLine, Wanted
from .connection import Connection, asking


class StripeChanges(Connection):
    """Previews of changes, and making them: at once with payment first, or by a schedule."""

    def preview_change(self, wanted: Wanted, *, prorated_at: datetime | None) -> PreviewedInvoice:
        """Ask for the invoice of a change, billed at once from a moment on, or whole without proration."""
        details: dict[str, Any] = {"items": [_item(wanted)], "proration_behavior": "none"}  # Any: Stripe checks it
        if prorated_at is not None:
            details |= {"proration_behavior": "always_invoice", "proration_date": int(prorated_at.timestamp())}
        params: Any = {"subscription": wanted.subscription, "subscription_details": details}
        with asking():
            found = self._client.invoices.create_preview(params).to_dict()
            if (found.get("automatic_tax") or {}).get("status") == "requires_location_inputs":
                raise GatewayRefused("the customer's place is unknown, so its taxes are", "customer_tax_location_invalid")
            return PreviewedInvoice(
                total_minor=found["total"],
                due_minor=found["amount_due"],
                currency=found["currency"].upper(),
                lines=tuple(_line(one) for one in found["lines"]["data"]),
            )

    def change_now(self, wanted: Wanted, *, prorated_at: datetime, key: str) -> None:
        """Update with `pending_if_incomplete`: the invoice is for exactly what was previewed at that moment."""
        params: Any = {
            "items": [_item(wanted)],
            "proration_behavior": "always_invoice",
            "proration_date": int(prorated_at.timestamp()),
            "payment_behavior": "pending_if_incomplete",
        }
        with asking():
            self._client.subscriptions.update(wanted.subscription, params, {"idempotency_key": key})

    def change_later(self, wanted: Wanted, *, interval: str, schedule: str | None, discounts: Sequence[str], key: str) -> None:
        """Put a schedule around the subscription if there is none, and give it a second phase.

        A process that dies between the two leaves a schedule that changes nothing and releases itself.
        """
        with asking():
            if schedule is None:
                made = self._client.subscription_schedules.create(
                    {"from_subscription": wanted.subscription}, {"idempotency_key": f"{key}-schedule"}
                )
                schedule = made.id
            found = self._client.subscription_schedules.retrieve(schedule).to_dict()
            now = found["current_phase"]
            current = next(one for one in found["phases"] if one["start_date"] == now["start_date"])
            subscription = self._client.subscriptions.retrieve(wanted.subscription).to_dict()
            kept: Any = {"discounts": [{"discount": one} for one in discounts]} if discounts else {}
            params: Any = {
                "end_behavior": "release",
                "phases": [
                    {
                        **kept,
                        "items": [_phase_item(one) for one in subscription["items"]["data"]],
                        "start_date": current["start_date"],
                        "end_date": current["end_date"],
                        "proration_behavior": "none",
                    },
                    {
                        **kept,
                        "items": [_phase_item(one, wanted) for one in subscription["items"]["data"]],
                        "duration": {"interval": interval, "interval_count": 1},
                        "proration_behavior": "none",
                    },
                ],
            }
            self._client.subscription_schedules.update(schedule, params, {"idempotency_key": f"{key}-phases"})

    def set_quantity(self, wanted: Wanted, *, key: str) -> None:
        """Update the quantity; the proration waits for the next invoice."""
        params: Any = {"items": [{"id": wanted.item, "quantity": wanted.quantity}], "proration_behavior": "create_prorations"}
        with asking():
            self._client.subscriptions.update(wanted.subscription, params, {"idempotency_key": key})


def _item(wanted: Wanted) -> dict[str, Any]:
    return {"id": wanted.item, "price": wanted.price} | ({} if wanted.quantity is None else {"quantity": wanted.quantity})


def _phase_item(item: Mapping[str, Any], wanted: Wanted | None = None) -> dict[str, Any]:
    price, quantity = item["price"]["id"], item.get("quantity")
    if wanted is not None and item["id"] == wanted.item:
        price, quantity = wanted.price, wanted.quantity
    return {"price": price} | ({} if quantity is None else {"quantity": quantity})


def _line(thing: Mapping[str, Any]) -> PreviewLine:
    return PreviewLine(
        description=thing.get("description") or "",
        amount_minor=thing["amount"],
        period_start=datetime.fromtimestamp(thing["period"]["start"], UTC),
        period_end=datetime.fromtimestamp(thing["period"]["end"], UTC),
    )
