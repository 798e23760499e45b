"""/v1/billing/meters and /v1/billing/meter_events."""

from __future__ import annotations

from ..engine import clockwork
from ..lists import page
from ..objects import Object
from ..resources import meters
from ..world import World
from .routes import LIST, Call, Route, listing, retrieving

METER = "display_name event_name default_aggregation customer_mapping value_settings event_time_window expand"
WINDOWS = {"hour": 3600, "day": 86400}


def _create(world: World, call: Call) -> Object:
    return meters.create(world, call.params)


def _update(world: World, call: Call) -> Object:
    return meters.rename(world, call.id, call.params["display_name"]) if "display_name" in call.params else _retrieve(world, call)


def _deactivate(world: World, call: Call) -> Object:
    return meters.switch(world, call.id, is_active=False)


def _reactivate(world: World, call: Call) -> Object:
    return meters.switch(world, call.id, is_active=True)


def _record(world: World, call: Call) -> Object:
    # The payload names the customer, and a customer's test clock says what the time is.
    with clockwork.of_customer(world, meters.customer_of(world, call.params)):
        return meters.record(world, call.params)


def _summaries(world: World, call: Call) -> Object:
    asked = call.params
    window_s = WINDOWS.get(asked.get("value_grouping_window", ""))
    span = {"start": asked["start_time"], "end": asked["end_time"], "window_s": window_s}
    return page(meters.summarize(world, call.id, customer=asked["customer"], **span), asked, url=call.path)


_retrieve = retrieving(meters.KIND)
ROUTES = (
    Route("post /v1/billing/meters", _create, METER),
    Route("get /v1/billing/meters", listing(meters.KIND, "status"), f"{LIST} status"),
    Route("get /v1/billing/meters/{id}", _retrieve),
    Route("post /v1/billing/meters/{id}", _update, "display_name expand"),
    Route("post /v1/billing/meters/{id}/deactivate", _deactivate),
    Route("post /v1/billing/meters/{id}/reactivate", _reactivate),
    Route("get /v1/billing/meters/{id}/event_summaries", _summaries, f"{LIST} customer start_time end_time value_grouping_window"),
    Route("post /v1/billing/meter_events", _record, "event_name identifier payload timestamp expand"),
)
