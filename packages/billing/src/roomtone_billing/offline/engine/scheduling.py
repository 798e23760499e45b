"""Running schedules: a phase begins at its moment, changes the subscription's items, and the last one ends or releases it."""

from __future__ import annotations

from .. import agenda
from ..errors import InvalidRequest, NotSupported
from ..objects import Object
from ..periods import period_end
from ..resources import customers, prices, schedules, subscriptions
from ..resources.subscriptions import Wanted
from ..world import World
from . import collection, cycle, plan_change, usage, waiting

PHASE = "enter_phase"


def create(world: World, params: Object) -> Object:
    """Add a schedule around a subscription, or one that will start its own."""
    if "from_subscription" in params:
        if set(params) - {"from_subscription", "expand"}:
            raise InvalidRequest("With `from_subscription` nothing else is set; update the schedule afterwards.", param="from_subscription")
        return _around(world, params["from_subscription"])
    customer = world.store.get(customers.KIND, params.get("customer", ""), param="customer")
    start = params.get("start_date", "now")
    begins = world.now if start == "now" else int(start)
    if begins < world.now:
        raise NotSupported("schedules that start in the past", param="start_date")
    phases = read_phases(world, params.get("phases", []), start=begins)
    schedule = schedules.create(
        world,
        customer=customer["id"],
        phases=phases,
        end_behavior=params.get("end_behavior", "release"),
        metadata=params.get("metadata"),
    )
    agenda.plan(world, PHASE, schedule["id"], at=begins)
    if begins == world.now:
        agenda.cancel(world, PHASE, schedule["id"])
        enter_phase(world, schedule["id"])
    return world.store.get(schedules.KIND, schedule["id"])


def update(world: World, schedule_id: str, params: Object) -> Object:
    """Replace the phases from the current one on, which must stay as it began."""
    schedule = _running(world, schedule_id)
    changes: Object = {name: params[name] for name in ("end_behavior", "metadata") if name in params}
    if "phases" in params:
        first = next((each for each in schedule["phases"] if each["end_date"] > world.now), schedule["phases"][-1])
        changes["phases"] = read_phases(world, params["phases"], start=first["start_date"])
        _refuse_other_discounts(world, schedule, params["phases"])
    changed = schedules.change(world, schedule_id, **changes)
    if changed["status"] == "active":
        _follow(world, changed)
    return world.store.get(schedules.KIND, schedule_id)


def cancel(world: World, schedule_id: str) -> Object:
    """Cancel a schedule and its subscription at once."""
    schedule = _running(world, schedule_id)
    agenda.cancel(world, PHASE, schedule_id)
    if schedule["subscription"]:
        cycle.end(world, schedule["subscription"], reason="cancellation_requested")
        subscriptions.change(world, schedule["subscription"], schedule=None)
    return schedules.finish(world, schedule_id, "canceled")


def release(world: World, schedule_id: str) -> Object:
    """Let the subscription go on without its schedule."""
    schedule = _running(world, schedule_id)
    agenda.cancel(world, PHASE, schedule_id)
    if schedule["subscription"]:
        subscriptions.change(world, schedule["subscription"], schedule=None)
    return schedules.finish(world, schedule_id, "released")


def enter_phase(world: World, schedule_id: str) -> None:
    """Do what is due now: begin the phase whose time has come, or end the schedule."""
    schedule = world.store.get(schedules.KIND, schedule_id)
    if schedule["status"] not in schedules.RUNNING:
        return
    phase = next((each for each in schedule["phases"] if each["start_date"] <= world.now < each["end_date"]), None)
    if phase is None:
        _finish(world, schedule)
    elif schedule["subscription"] is None:
        _start(world, schedule, phase)
    else:
        _change(world, schedule, phase)


def enter_due_phase(world: World, subscription_id: str) -> None:
    """Let a phase that begins at this moment begin before the subscription renews, so that the new period has the new price."""
    schedule_id = world.store.get(subscriptions.KIND, subscription_id)["schedule"]
    if schedule_id and (task := world.store.find(agenda.KIND, f"{PHASE}/{schedule_id}")) and task["due_at"] <= world.now:
        agenda.cancel(world, PHASE, schedule_id)
        enter_phase(world, schedule_id)


def read_phases(world: World, given: list[Object], *, start: int) -> list[Object]:
    """Return the phases that a parameter describes, each beginning where the one before ends."""
    if not given:
        raise InvalidRequest("Missing required param: phases.", code="parameter_missing", param="phases")
    phases = []
    for place, each in enumerate(given):
        items = [_item(world, item, f"phases[{place}][items][{number}][price]") for number, item in enumerate(each["items"])]
        end = each.get("end_date") or _end(each, items, start, is_last=place == len(given) - 1)
        if end == "now" or end <= start:
            raise InvalidRequest("A phase must end after it begins.", param=f"phases[{place}][end_date]")
        behavior = each.get("proration_behavior", "create_prorations")
        currency = world.store.get(prices.KIND, items[0]["price"])["currency"]
        phases.append(schedules.build_phase(items, currency=currency, start=start, end=end, proration_behavior=behavior))
        start = end
    return phases


def _refuse_other_discounts(world: World, schedule: Object, given: list[Object]) -> None:
    """Phases may keep what the subscription has; changing it is more than this does."""
    running = world.store.find(subscriptions.KIND, schedule["subscription"] or "")
    kept = set(running["discounts"]) if running else set()
    for place, phase in enumerate(given):
        asked = {each["discount"] for each in phase.get("discounts") or []}
        if asked != kept:
            raise NotSupported("phases with other discounts than the subscription's own", param=f"phases[{place}][discounts]")


def _around(world: World, subscription_id: str) -> Object:
    subscription = world.store.get(subscriptions.KIND, subscription_id, param="from_subscription")
    subscriptions.refuse_ended(subscription)
    if subscription["schedule"]:
        raise InvalidRequest(f"The subscription is already attached to a schedule: {subscription['schedule']}.", param="from_subscription")
    start, end = subscriptions.period(subscription)
    items = [{"price": each["price"]["id"], "quantity": each.get("quantity")} for each in subscriptions.items(subscription)]
    phase = schedules.build_phase(items, currency=subscription["currency"], start=start, end=end, proration_behavior="create_prorations")
    around = {"status": "active", "subscription": subscription_id, "current_phase": {"start_date": start, "end_date": end}}
    schedule = schedules.create(world, customer=subscription["customer"], phases=[phase], end_behavior="release", metadata=None, **around)
    subscriptions.change(world, subscription_id, schedule=schedule["id"])
    agenda.plan(world, PHASE, schedule["id"], at=end)
    return schedule


def _item(world: World, given: Object, param: str) -> Object:
    price = prices.recurring_price(world, given.get("price", ""), param=param)
    return {
        "price": price["id"],
        "quantity": None if prices.is_metered(price) else given.get("quantity", 1),
        "recurring": price["recurring"],
    }


def _end(given: Object, items: list[Object], start: int, *, is_last: bool) -> int:
    duration = given.get("duration")
    if duration:
        return period_end(start, {"interval": duration["interval"], "interval_count": duration.get("interval_count", 1)}, after=start)
    if not is_last:
        raise InvalidRequest("Each phase but the last needs an end_date or a duration.", code="parameter_missing", param="phases[end_date]")
    return period_end(start, items[0]["recurring"], after=start)


def _start(world: World, schedule: Object, phase: Object) -> None:
    wanted = [Wanted(price=world.store.get(prices.KIND, each["price"]), quantity=each.get("quantity")) for each in phase["items"]]
    subscription = cycle.start(world, customer=schedule["customer"], wanted=wanted, schedule=schedule["id"])
    if subscription["status"] == "incomplete":
        collection.collect(world, subscription["latest_invoice"])
    _begin(world, schedule, phase, subscription=subscription["id"])


def _change(world: World, schedule: Object, phase: Object) -> None:
    subscription = world.store.get(subscriptions.KIND, schedule["subscription"])
    current = [(each["price"]["id"], each.get("quantity")) for each in subscriptions.items(subscription)]
    if current != [(each["price"], each.get("quantity")) for each in phase["items"]]:
        wanted = _matched(world, subscription, phase)
        intervals = {plan_change.interval(each.price) for each in wanted}
        resets = intervals != {plan_change.interval(each["price"]) for each in subscriptions.items(subscription)}
        # At the very end of a period nothing is left to prorate, and the renewal bills the new items whole.
        at_end = subscriptions.period(subscription)[1] <= world.now
        behavior: plan_change.Proration = "none" if at_end else phase["proration_behavior"]
        ended = plan_change.used_and_cut(world, subscription, wanted, moves=resets)
        waiting.add(world, subscription["id"], usage.lines(world, subscription["customer"], ended, until=world.now))
        change = plan_change.work_out(world, subscription, wanted, behavior=behavior, at=world.now, resets_anchor=resets, bills_use=True)
        invoice_id = plan_change.apply(world, subscription, change, behavior=behavior)
        if invoice_id is not None and cycle.finalize(world, invoice_id)["status"] == "open":
            collection.collect(world, invoice_id)
    _begin(world, schedule, phase, subscription=schedule["subscription"])


def _matched(world: World, subscription: Object, phase: Object) -> list[Wanted]:
    """Return the phase's items; each is the subscription's item with its price, else one that renews as often, else a new one."""
    free = subscriptions.items(subscription)
    wanted = []
    for each in phase["items"]:
        price, quantity = world.store.get(prices.KIND, each["price"]), each.get("quantity")
        fitting = [item for item in free if item["price"]["id"] == price["id"]] or [
            item
            for item in free
            if quantity is not None
            and not prices.is_metered(item["price"])
            and plan_change.interval(item["price"]) == plan_change.interval(price)
            and all(item["price"]["id"] != other["price"] for other in phase["items"])
        ]
        if fitting:
            free = [item for item in free if item["id"] != fitting[0]["id"]]
        wanted.append(Wanted(price=price, quantity=quantity, item_id=fitting[0]["id"] if fitting else None))
    return wanted


def _begin(world: World, schedule: Object, phase: Object, *, subscription: str) -> None:
    current = {"start_date": phase["start_date"], "end_date": phase["end_date"]}
    schedules.change(world, schedule["id"], status="active", subscription=subscription, current_phase=current)
    agenda.plan(world, PHASE, schedule["id"], at=phase["end_date"])


def _follow(world: World, schedule: Object) -> None:
    agenda.cancel(world, PHASE, schedule["id"])
    enter_phase(world, schedule["id"])


def _finish(world: World, schedule: Object) -> None:
    if schedule["end_behavior"] == "cancel" and schedule["subscription"]:
        cycle.end(world, schedule["subscription"], reason="cancellation_requested")
        schedules.finish(world, schedule["id"], "completed")
    else:
        release(world, schedule["id"])


def _running(world: World, schedule_id: str) -> Object:
    schedule = world.store.get(schedules.KIND, schedule_id)
    if schedule["status"] not in schedules.RUNNING:
        raise InvalidRequest(f"You cannot change a subscription schedule that is {schedule['status']}.")
    return schedule
