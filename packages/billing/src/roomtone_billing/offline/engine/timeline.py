"""Runs what the agenda holds, in the order of time, each thing at its own moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from .. import agenda
from ..resources import checkout_sessions, subscriptions
from ..world import Origin, World, moment
from . import charging, collection, cycle, intents, pending_update, scheduling, upcoming


def reach_period_end(world: World, subscription_id: str) -> None:
    """Renew or end, after a schedule's phase that begins at the same moment."""
    scheduling.enter_due_phase(world, subscription_id)
    # A phase with another interval begins a period of its own.
    if subscriptions.period(world.store.get(subscriptions.KIND, subscription_id))[1] <= world.now:
        cycle.reach_period_end(world, subscription_id)


ACTIONS: Mapping[str, Callable[[World, str], None]] = {
    cycle.PERIOD_END: reach_period_end,
    scheduling.PHASE: scheduling.enter_phase,
    cycle.FINALIZE: cycle.finalize_and_collect,
    cycle.TRIAL_WILL_END: cycle.announce_trial_end,
    cycle.UPCOMING: upcoming.announce_renewal,
    collection.RETRY: collection.retry,
    collection.EXPIRE_INCOMPLETE: collection.expire_incomplete,
    cycle.END_BY_DATE: cycle.end_by_date,
    pending_update.EXPIRE: pending_update.expire,
    cycle.RESUME_COLLECTION: cycle.resume_collection,
    collection.OVERDUE: collection.become_overdue,
    charging.DISPUTE: intents.open_dispute,
    charging.SETTLE: collection.settle_debit,
    checkout_sessions.EXPIRE: checkout_sessions.expire_if_open,
}


def run_until(world: World, until: datetime) -> int:
    """Do what is due by a moment and return how many things that were.

    Effects: each thing is one transaction with the clock at its own moment, so a process killed in between has done the earlier ones whole.
    """
    done = 0
    while _run_next(world, int(until.timestamp())):
        done += 1
    with world.store.transaction():
        world.clock.move_to(until)
    return done


def _run_next(world: World, until: int) -> bool:
    with world.store.transaction():
        task = agenda.take_next(world, until=until)
        if task is None:
            return False
        world.origin = Origin()
        world.clock.move_to(moment(task["due_at"]))
        world.store.account = task["account"]
        try:
            ACTIONS[task["action"]](world, task["subject"])
        finally:
            world.store.account = None
        return True
