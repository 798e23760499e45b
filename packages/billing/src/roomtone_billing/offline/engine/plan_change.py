"""Changing what a subscription sells: items swapped, the difference prorated, and billed now, later or not at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ..errors import NotSupported
from ..objects import Object
from ..periods import period_end
from ..resources import prices, products, subscriptions
from ..resources.invoice_lines import Line
from ..resources.subscriptions import Wanted
from ..world import World
from . import cycle, debited, drafting, proration

Proration = Literal["always_invoice", "create_prorations", "none"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """A worked-out change, not yet made.

    Attributes:
        wanted: the items as they will be; new ones have no id yet.
        lines: what is billed for it, credits first.
        moves_anchor: a new period begins now, because the interval changed.
    """

    wanted: tuple[Wanted, ...]
    lines: tuple[Line, ...]
    period: tuple[int, int]
    moves_anchor: bool


def work_out(
    world: World, subscription: Object, wanted: list[Wanted], *, behavior: Proration, at: int, resets_anchor: bool = False
) -> Change:
    """Return what the change does and costs, without doing it.

    Args:
        wanted: every item the subscription shall have afterwards.
        at: the moment to prorate from, unix seconds, within the current period.

    Raises:
        InvalidRequest: a price is in another currency.
        NotSupported: the items would renew at different intervals.
    """
    prices.refuse_mixed_currencies([each.price for each in wanted], subscription["currency"])
    recurrings = {(each.price["recurring"]["interval"], each.price["recurring"]["interval_count"]) for each in wanted}
    if len(recurrings) > 1:
        raise NotSupported("items with different intervals on one subscription", param="items")
    old = subscriptions.items(subscription)
    is_trial = subscription["status"] == "trialing"
    current = old[0]["price"]["recurring"]
    moves = (resets_anchor or recurrings != {(current["interval"], current["interval_count"])}) and not is_trial
    period = (at, period_end(at, wanted[0].price["recurring"], after=at)) if moves else subscriptions.period(subscription)
    lines = [] if is_trial else _lines(world, subscription, wanted, behavior=behavior, at=at, period=period, moves=moves)
    return Change(wanted=tuple(wanted), lines=tuple(lines), period=period, moves_anchor=moves)


def apply(world: World, subscription: Object, change: Change, *, behavior: Proration) -> str | None:
    """Make the change; return the id of the draft that bills it now, or None."""
    fields, lines = fields_after(world, subscription, change)
    if not bills_now(change, behavior):
        for line in lines:
            number = world.store.count(cycle.PENDING_LINE)
            world.store.add(cycle.PENDING_LINE, {"id": f"{number:08}", "subscription": subscription["id"], "line": dict(vars(line))})
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
    items = [_placed(world, subscription, each, change.period) for each in change.wanted]
    new_ids = iter([item["id"] for item, each in zip(items, change.wanted, strict=True) if each.item_id is None])
    lines = [line if line.subscription_item else replace(line, subscription_item=next(new_ids)) for line in change.lines]
    fields: Object = {"items": subscriptions.with_items(subscription, items)}
    if change.moves_anchor:
        fields["billing_cycle_anchor"] = change.period[0]
        if subscription["cancel_at"]:
            fields["cancel_at"] = change.period[1]
    _note_debits(world, subscription, items, lines)
    return fields, lines


def _note_debits(world: World, subscription: Object, items: list[Object], lines: list[Line]) -> None:
    billed = {line.subscription_item for line in lines if line.amount >= 0}
    for item in items:
        if item["id"] in billed:
            debited.note(world, item["id"], debited.discounted(world, subscription, item))


def _lines(
    world: World, subscription: Object, wanted: list[Wanted], *, behavior: Proration, at: int, period: tuple[int, int], moves: bool
) -> list[Line]:
    old = {item["id"]: item for item in subscriptions.items(subscription)}
    kept = {each.item_id: each for each in wanted if each.item_id}
    changed = [
        item
        for item_id, item in old.items()
        if moves or item_id not in kept or (kept[item_id].price["id"], kept[item_id].quantity) != (item["price"]["id"], item["quantity"])
    ]
    credited = [proration.credit(item, name=products.name_of(world, item), at=at, debited=debited.amount(world, item)) for item in changed]
    touched = {item["id"] for item in changed}
    debits = []
    for each in wanted:
        if each.item_id is None or each.item_id in touched:
            item = _preview_item(subscription, each, period)
            name = products.name_of(world, item)
            if moves or behavior == "none":
                debits.append(proration.whole(item, name=name))
            else:
                debits.append(proration.debit(item, name=name, at=at, debits=debited.discounted(world, subscription, item)))
    if behavior == "none":
        return debits if moves else []
    return credited + debits


def _preview_item(subscription: Object, wanted: Wanted, period: tuple[int, int]) -> Object:
    return {
        "id": wanted.item_id or "",
        "price": wanted.price,
        "quantity": wanted.quantity,
        "subscription": subscription["id"],
        "current_period_start": period[0],
        "current_period_end": period[1],
    }


def _placed(world: World, subscription: Object, wanted: Wanted, period: tuple[int, int]) -> Object:
    for item in subscriptions.items(subscription):
        if item["id"] == wanted.item_id:
            return {
                **item,
                "price": wanted.price,
                "quantity": wanted.quantity,
                "metadata": wanted.metadata or item["metadata"],
                "current_period_start": period[0],
                "current_period_end": period[1],
            }
    return subscriptions.build_item(world, subscription["id"], wanted, period=period)


def changed(subscription: Object, change: Change) -> Object:
    """Return the subscription as it would look after the change, for a preview; nothing is kept."""
    items = [_preview_item(subscription, each, change.period) for each in change.wanted]
    return {**subscription, "items": subscriptions.with_items(subscription, items)}
