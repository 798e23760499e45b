"""Test clocks at work: whose time a request is about, and what falls due when a clock is put on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from .. import agenda
from ..errors import InvalidRequest
from ..objects import Object
from ..resources import customers, events, subscriptions, test_clocks
from ..world import World
from . import cycle

# Which kind of object an id names, by its beginning.
KINDS = {
    "cus_": "customer",
    "sub_sched_": "subscription_schedule",
    "sub_": "subscription",
    "in_": "invoice",
    "ii_": "invoiceitem",
    "pi_": "payment_intent",
    "seti_": "setup_intent",
    "ch_": "charge",
    "cn_": "credit_note",
    "cs_test_": "checkout.session",
}
NAMES = ("customer", "subscription", "invoice", "from_subscription", "payment_intent", "charge")


@contextmanager
def of_request(world: World, ids: tuple[str, ...], params: Object) -> Iterator[None]:
    """Let time be that of the test clock which the named objects' customer has, while a request about them runs."""
    named = [*ids, *(params[name] for name in NAMES if isinstance(params.get(name), str))]
    world.test_clock = params.get("test_clock") or next((clock for each in named if (clock := _clock_of(world, each))), None)
    if world.test_clock is not None:
        try:
            world.store.get(test_clocks.KIND, world.test_clock, param="test_clock")
        except InvalidRequest:
            world.test_clock = None
            raise
    try:
        yield
    finally:
        world.test_clock = None


@contextmanager
def of_customer(world: World, customer_id: str | None) -> Iterator[None]:
    """Let time be that of a customer's test clock, for what a page does."""
    with of_request(world, (customer_id,) if customer_id else (), {}):
        yield


def advance(world: World, clock_id: str, until: int, actions: Mapping[str, Callable[[World, str], None]]) -> Object:
    """Put a clock on and do, in order of time, what falls due on it.

    Raises:
        InvalidRequest: backwards.
    """
    clock = world.store.get(test_clocks.KIND, clock_id)
    if until <= clock["frozen_time"]:
        raise InvalidRequest("The frozen_time must be after the clock's current frozen_time.", param="frozen_time")
    advancing = world.store.change(
        test_clocks.KIND, clock_id, status="advancing", status_details={"advancing": {"target_frozen_time": until}}
    )
    events.emit(world, "test_helpers.test_clock.advancing", advancing)
    world.test_clock = clock_id
    try:
        while (task := agenda.take_next(world, until=until, test_clock=clock_id)) is not None:
            test_clocks.move(world, clock_id, max(task["due_at"], world.now))
            actions[task["action"]](world, task["subject"])
    finally:
        world.test_clock = None
    ready = world.store.change(test_clocks.KIND, clock_id, status="ready", frozen_time=until, status_details={})
    events.emit(world, "test_helpers.test_clock.ready", ready)
    # Stripe answers at once and works on; so its answer still says advancing, and reading the clock again says ready.
    return advancing


def delete(world: World, clock_id: str) -> Object:
    """Delete a clock with its customers and their subscriptions."""
    clock = world.store.get(test_clocks.KIND, clock_id)
    for customer in list(world.store.where(customers.KIND, test_clock=clock_id)):
        for subscription in subscriptions.of_customer(world, customer["id"]):
            cycle.end(world, subscription["id"], reason="cancellation_requested")
        customers.delete(world, customer["id"])
    for task in list(world.store.where(agenda.KIND, test_clock=clock_id)):
        world.store.remove(agenda.KIND, task["id"])
    world.store.remove(test_clocks.KIND, clock_id)
    events.emit(world, "test_helpers.test_clock.deleted", clock)
    return {"id": clock_id, "object": test_clocks.KIND, "deleted": True}


def _clock_of(world: World, object_id: str) -> str | None:
    kind = next((kind for prefix, kind in KINDS.items() if object_id.startswith(prefix)), None)
    found = world.store.find(kind, object_id) if kind else None
    if found is None:
        return None
    customer = found if kind == "customer" else world.store.find("customer", found.get("customer"))
    return customer.get("test_clock") if customer else None
