"""Billing meters: what is used, counted by customer. Prices by usage are not supported; a meter counts, and its summaries tell."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from ..errors import InvalidRequest
from ..objects import Object
from ..shapes import blank
from ..world import World
from . import customers, events

KIND = "billing.meter"
EVENT = "billing.meter_event"
IDENTIFIER_KEPT_S = 24 * 3600
PAST_MAX_S, FUTURE_MAX_S = 35 * 86400, 300


def create(world: World, params: Object) -> Object:
    """Add a meter; raises InvalidRequest when an active one counts the same event."""
    if any(world.store.where(KIND, event_name=params["event_name"], status="active")):
        raise InvalidRequest("An active meter with this event_name exists.", code="resource_already_exists", param="event_name")
    meter = world.store.add(
        KIND,
        {
            **blank(KIND),
            "id": world.new_id("mtr_test"),
            "created": world.now,
            "customer_mapping": params.get("customer_mapping", {"event_payload_key": "stripe_customer_id", "type": "by_id"}),
            "default_aggregation": {"formula": params["default_aggregation"]["formula"]},
            "display_name": params["display_name"],
            "event_name": params["event_name"],
            "event_time_window": params.get("event_time_window"),
            "livemode": False,
            "status": "active",
            "status_transitions": {"deactivated_at": None},
            "updated": world.now,
            "value_settings": params.get("value_settings", {"event_payload_key": "value"}),
        },
    )
    events.emit(world, "billing.meter.created", meter)
    return meter


def rename(world: World, meter_id: str, name: str) -> Object:
    """Change the display name."""
    return _change(world, meter_id, "updated", display_name=name)


def switch(world: World, meter_id: str, *, is_active: bool) -> Object:
    """Deactivate a meter, or activate it again."""
    meter = world.store.get(KIND, meter_id)
    wanted = "active" if is_active else "inactive"
    if meter["status"] == wanted:
        raise InvalidRequest(f"The meter is {wanted} already.")
    transitions = {"deactivated_at": None if is_active else world.now}
    return _change(world, meter_id, "reactivated" if is_active else "deactivated", status=wanted, status_transitions=transitions)


def customer_of(world: World, params: Object) -> str:
    """Return the customer that an event is about; raises InvalidRequest when no active meter counts it or there is no such customer."""
    key = _meter_of(world, params)["customer_mapping"]["event_payload_key"]
    return str(world.store.get(customers.KIND, params["payload"].get(key, ""), param=f"payload[{key}]")["id"])


def _meter_of(world: World, params: Object) -> Object:
    meter = next(iter(world.store.where(KIND, event_name=params["event_name"], status="active")), None)
    if meter is None:
        raise InvalidRequest(f"No active meter found for event name {params['event_name']}.", code="no_meter", param="event_name")
    return meter


def record(world: World, params: Object) -> Object:
    """Count an event once for its identifier.

    Raises:
        InvalidRequest: no active meter counts it, no such customer, no number, an identifier of the last day, or a time more than 35 days
            ago or five minutes ahead.
    """
    meter, customer = _meter_of(world, params), customer_of(world, params)
    payload, at = params["payload"], params.get("timestamp", world.now)
    value = _value(payload, meter)
    identifier = params.get("identifier") or world.new_id("mevt")
    same = world.store.find(EVENT, identifier)
    if same and same["created"] > world.now - IDENTIFIER_KEPT_S:
        raise InvalidRequest(f"An event already exists with identifier {identifier}.", code="duplicate_meter_event", param="identifier")
    if not world.now - PAST_MAX_S <= at <= world.now + FUTURE_MAX_S:
        raise InvalidRequest("The timestamp must be within the past 35 days or up to 5 minutes ahead.", param="timestamp")
    shown = {"created": world.now, "event_name": params["event_name"], "identifier": identifier, "livemode": False}
    event = {"object": EVENT, **shown, "payload": payload, "timestamp": at}
    world.store.replace(EVENT, {**event, "id": identifier, "customer": customer, "value": str(value)})
    return event


def summarize(world: World, meter_id: str, *, customer: str, start: int, end: int, window_s: int | None) -> list[Object]:
    """Return what a customer used from `start` to before `end`, as one summary or one for each window of so many seconds."""
    meter = world.store.get(KIND, meter_id)
    if not start < end:
        raise InvalidRequest("end_time must be after start_time.", param="end_time")
    counted = [each for each in world.store.where(EVENT, customer=customer) if each["event_name"] == meter["event_name"]]
    bounds = [(at, min(at + (window_s or end - start), end)) for at in range(start, end, window_s or end - start)]
    return [_summary(world, meter, counted, begin, stop) for begin, stop in bounds]


def total(world: World, meter: Object, *, customer: str, start: int, end: int) -> Decimal:
    """Return what a customer used from `start` to before `end` (unix seconds)."""
    counted = world.store.where(EVENT, customer=customer)
    return _total(meter, [each for each in counted if each["event_name"] == meter["event_name"] and start <= each["timestamp"] < end])


def _total(meter: Object, counted: list[Object]) -> Decimal:
    values = [Decimal(each["value"]) for each in sorted(counted, key=lambda each: each["timestamp"])]
    match meter["default_aggregation"]["formula"]:
        case "count":
            return Decimal(len(values))
        case "last":
            return values[-1] if values else Decimal(0)
        case _:
            return sum(values, Decimal(0))


def _summary(world: World, meter: Object, counted: list[Object], start: int, end: int) -> Object:
    used = _total(meter, [each for each in counted if start <= each["timestamp"] < end])
    return {
        "id": world.new_id("mtrusg_test"),
        "object": "billing.meter_event_summary",
        # A quantity, not money: Stripe shows it as a number.
        "aggregated_value": int(used) if used == used.to_integral_value() else float(used),
        "end_time": end,
        "livemode": False,
        "meter": meter["id"],
        "start_time": start,
    }


def _value(payload: Object, meter: Object) -> Decimal:
    if meter["default_aggregation"]["formula"] == "count":
        return Decimal(1)
    key = meter["value_settings"]["event_payload_key"]
    try:
        value = Decimal(payload[key])
    except (KeyError, InvalidOperation) as error:
        raise InvalidRequest(f"The payload needs a number as `{key}`.", param=f"payload[{key}]") from error
    if not value.is_finite():
        raise InvalidRequest(f"The payload needs a finite number as `{key}`.", param=f"payload[{key}]")
    return value


def _change(world: World, meter_id: str, what: str, **values: object) -> Object:
    before = world.store.get(KIND, meter_id)
    after = world.store.change(KIND, meter_id, **values, updated=world.now)
    events.emit(world, f"billing.meter.{what}", after, before=before)
    return after
