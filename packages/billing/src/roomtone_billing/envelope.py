"""The little of an event's body that is read; nothing of it is believed."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Never

from .errors import MalformedEvent

_ID = re.compile(r"[A-Za-z0-9_]{1,255}")
_TYPE = re.compile(r"[a-z0-9_.]{1,255}")


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """Enough of a payload to store it once and to know whom it is about; `charge` may say so where there is no `customer`."""

    event_id: str
    type: str
    livemode: bool
    stripe_account: str
    customer: str | None
    charge: str | None


def parse(payload: bytes) -> Envelope:
    """Read an event's envelope.

    Raises:
        MalformedEvent: for every body that is not one.
    """
    try:
        body = json.loads(payload.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedEvent("the body is not JSON in UTF-8") from error
    data = body.get("data") if isinstance(body, dict) else None
    thing = data.get("object") if isinstance(data, dict) else None
    if not isinstance(thing, dict) or not isinstance(body.get("livemode"), bool):
        raise MalformedEvent("the body has no data.object or no livemode")
    return Envelope(
        event_id=_text(body.get("id"), _ID, "id"),
        type=_text(body.get("type"), _TYPE, "type"),
        livemode=body["livemode"],
        stripe_account=_text(body["account"], _ID, "account") if body.get("account") is not None else "",
        customer=_customer(thing),
        charge=_charge(thing),
    )


def _customer(thing: dict[str, Any]) -> str | None:
    # A reference is an id, or the whole object when expanded; a customer's own events are about itself.
    found = thing.get("id") if thing.get("object") == "customer" else thing.get("customer")
    charge = thing.get("charge")
    if found is None and isinstance(charge, dict):
        found = charge.get("customer")
    if isinstance(found, dict):
        found = found.get("id")
    return None if found is None else _text(found, _ID, "customer")


def _charge(thing: dict[str, Any]) -> str | None:
    # A dispute, a refund and a warning of fraud name a charge and no customer.
    found = thing.get("charge")
    if isinstance(found, dict):
        found = found.get("id")
    return found if isinstance(found, str) and _ID.fullmatch(found) else None


def _text(value: object, pattern: re.Pattern[str], name: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise MalformedEvent(f"the event's {name} is absent or unreadable")
    return value


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")
