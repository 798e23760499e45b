"""Changing what a subscription sells: items swapped, the difference prorated, and billed now, later or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..errors import NotSupported
from ..objects import Object
from ..periods import period_end
from ..resources import prices, products, subscriptions
from ..resources.invoice_lines import Line
from ..resources.subscriptions import Wanted
from ..world import World
from . import cycle, debited, drafting, proration, usage, waiting

Proration = Literal["always_invoice", "create_prorations", "none"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """A worked-out change, not yet made.

    Attributes:
        wanted: the items as they will be; new ones have no id yet.
        lines: what is billed for it, credits first.
        periods: those of the wanted items afterwards, in their order.
        moves_anchor: a new period begins now, because the interval changed.
    """

    wanted: tuple[Wanted, ...]
    lines: tuple[Line, ...]
    periods: tuple[tuple[int, int], ...]
    moves_anchor: bool


def work_out(
    world: World,
    subscription: Object,
    wanted: list[Wanted],
    *,
    behavior: Proration,
    at: int,
    resets_anchor: bool = False,
    bills_use: bool = False,
) -> Change:
    """Return what the change does and costs, without doing it.

    Args:
        wanted: every item the subscription shall have afterwards.
        at: the moment to prorate from, unix seconds, within the current period.
        bills_use: the caller bills what was used of metered items that go.

    Raises:
        InvalidRequest: a price is in another currency.
        NotSupported: an item would change its interval while others keep theirs, or a metered item goes that was used in this period.
    """
    prices.refuse_mixed_currencies([each.price for each in wanted], subscription["currency"])
    is_trial = subscription["status"] == "trialing"
    moves = (resets_anchor or _changes_interval(subscription, wanted)) and not is_trial
    if not bills_use and (cut_off := used_and_cut(world, subscription, wanted, moves=moves)):
        raise NotSupported(f"changing or removing {cut_off[0]['id']}, a metered item that was used in this period", param="items")
    periods = tuple((at, period_end(at, each.price["recurring"], after=at)) if moves else _period_of(subscription, each) for each in wanted)
    lines = [] if is_trial else _lines(world, subscription, wanted, behavior=behavior, at=at, periods=periods, moves=moves)
    return Change(wanted=tuple(wanted), lines=tuple(lines), periods=periods, moves_anchor=moves)


def apply(world: World, subscription: Object, change: Change, *, behavior: Proration) -> str | None:
    """Make the change; return the id of the draft that bills it now, or None."""
    fields, lines = fields_after(world, subscription, change)
    if not bills_now(change, behavior):
        waiting.add(world, subscription["id"], lines)
        subscriptions.change(world, subscription["id"], **fields)
        return None
    period = (world.now, world.now)
    invoice = drafting.open_draft(world, subscription, lines, reason="subscription_update", period=period, takes_pending=False)
    subscriptions.change(world, subscription["id"], **fields, latest_invoice=invoice["id"])
    if change.moves_anchor:
        cycle.replan(world, subscription["id"])
    return str(invoice["id"])


def bills_now(change: Change, behavior: Proration) -> bool:
    """Does the change open an invoice at once?"""
    return bool(change.lines) and (behavior == "always_invoice" or change.moves_anchor)


def fields_after(world: World, subscription: Object, change: Change) -> tuple[Object, list[Line]]:
    """Return the subscription's fields as the change leaves them, and the lines with the ids of new items."""
    items = [_placed(world, subscription, each, period) for each, period in zip(change.wanted, change.periods, strict=True)]
    new_ids = iter(
        [item["id"] for item, each in zip(items, change.wanted, strict=True) if each.item_id is None and each.quantity is not None]
    )
    lines = [line if line.subscription_item else replace(line, subscription_item=next(new_ids)) for line in change.lines]
    fields: Object = {"items": subscriptions.with_items(subscription, items)}
    if change.moves_anchor:
        fields["billing_cycle_anchor"] = change.periods[0][0]
        if subscription["cancel_at"]:
            fields["cancel_at"] = min(end for _, end in change.periods)
    _note_debits(world, subscription, items, lines)
    return fields, lines


def _note_debits(world: World, subscription: Object, items: list[Object], lines: list[Line]) -> None:
    billed = {line.subscription_item for line in lines if line.amount >= 0}
    for item in items:
        if item["id"] in billed:
            debited.note(world, item["id"], debited.discounted(world, subscription, item))


def _lines(
    world: World,
    subscription: Object,
    wanted: list[Wanted],
    *,
    behavior: Proration,
    at: int,
    periods: Sequence[tuple[int, int]],
    moves: bool,
) -> list[Line]:
    old = {item["id"]: item for item in subscriptions.items(subscription)}
    kept = {each.item_id: each for each in wanted if each.item_id}
    changed = [
        item
        for item_id, item in old.items()
        if moves
        or item_id not in kept
        or (kept[item_id].price["id"], kept[item_id].quantity) != (item["price"]["id"], item.get("quantity"))
    ]
    changed = [item for item in changed if not prices.is_metered(item["price"])]
    credited = [proration.credit(item, name=products.name_of(world, item), at=at, debited=debited.amount(world, item)) for item in changed]
    touched = {item["id"] for item in changed}
    debits = []
    touched |= {item_id for item_id, each in kept.items() if prices.is_metered(old[item_id]["price"]) and not prices.is_metered(each.price)}
    for each, period in zip(wanted, periods, strict=True):
        if each.quantity is not None and (each.item_id is None or each.item_id in touched):
            item = _preview_item(subscription, each, period)
            name = products.name_of(world, item)
            if moves or behavior == "none":
                debits.append(proration.whole(item, name=name))
            else:
                debits.append(proration.debit(item, name=name, at=at, debits=debited.discounted(world, subscription, item)))
    if behavior == "none":
        return debits if moves else []
    return credited + debits


def interval(price: Object) -> tuple[str, int]:
    """Return how often a price renews."""
    return price["recurring"]["interval"], price["recurring"]["interval_count"]


def _changes_interval(subscription: Object, wanted: list[Wanted]) -> bool:
    """Do all items go from one interval to another? Of several intervals, each item must keep its own."""
    old = {each["id"]: interval(each["price"]) for each in subscriptions.items(subscription)}
    before, after = set(old.values()), {interval(each.price) for each in wanted}
    if len(before) == 1 and len(after) == 1:
        return before != after
    for each in wanted:
        if interval(each.price) not in before if each.item_id is None else old[each.item_id] != interval(each.price):
            raise NotSupported("another interval for one of several items in the middle of a subscription", param="items")
    return False


def _period_of(subscription: Object, wanted: Wanted) -> tuple[int, int]:
    """Return the running period of an item, or for a new one that of an item with its interval."""
    items = subscriptions.items(subscription)
    same = [each for each in items if each["id"] == wanted.item_id] or [
        each for each in items if interval(each["price"]) == interval(wanted.price)
    ]
    return (same[0]["current_period_start"], same[0]["current_period_end"]) if same else subscriptions.period(subscription)


def used_and_cut(world: World, subscription: Object, wanted: Sequence[Wanted], *, moves: bool) -> list[Object]:
    """Return the metered items whose period a change would cut off although they were used in it."""
    if subscription["status"] == "trialing":
        return []
    stays = {each.item_id: each.price["id"] for each in wanted}
    cut = [item for item in subscriptions.items(subscription) if moves or stays.get(item["id"]) != item["price"]["id"]]
    return [item for item in cut if usage.was_used(world, subscription["customer"], item)]


def _preview_item(subscription: Object, wanted: Wanted, period: tuple[int, int]) -> Object:
    return {
        "id": wanted.item_id or "",
        "price": wanted.price,
        **subscriptions.counted(wanted.quantity),
        "subscription": subscription["id"],
        "current_period_start": period[0],
        "current_period_end": period[1],
    }


def _placed(world: World, subscription: Object, wanted: Wanted, period: tuple[int, int]) -> Object:
    for item in subscriptions.items(subscription):
        if item["id"] == wanted.item_id:
            return {
                **{name: value for name, value in item.items() if name != "quantity"},
                "price": wanted.price,
                **subscriptions.counted(wanted.quantity),
                "metadata": wanted.metadata or item["metadata"],
                "current_period_start": period[0],
                "current_period_end": period[1],
            }
    # What was counted before a metered item was there is none of its business.
    start = period[0] if wanted.quantity is not None else world.now
    return subscriptions.build_item(world, subscription["id"], wanted, period=(start, period[1]))


def changed(subscription: Object, change: Change) -> Object:
    """Return the subscription as it would look after the change, for a preview; nothing is kept."""
    items = [_preview_item(subscription, each, period) for each, period in zip(change.wanted, change.periods, strict=True)]
    return {**subscription, "items": subscriptions.with_items(subscription, items)}
