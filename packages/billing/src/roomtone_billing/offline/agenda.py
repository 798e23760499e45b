"""The agenda: what must happen at a moment of the virtual time (a renewal, a retry, an expiry)."""

from __future__ import annotations

from .objects import Object
from .world import World

KIND = "task"


def plan(world: World, action: str, subject: str, *, at: int) -> None:
    """Note that `action` is due for `subject` at a moment (unix seconds). One per action and subject: a later plan moves it."""
    world.store.replace(
        KIND,
        {
            "id": f"{action}/{subject}",
            "action": action,
            "subject": subject,
            "due_at": at,
            "account": world.store.account,
            "test_clock": world.test_clock,
            # Tasks of a test clock wait for that clock alone.
            "state": "waiting" if world.test_clock is None else "held",
        },
    )


def cancel(world: World, action: str, subject: str) -> None:
    """Take it off; nothing planned is fine."""
    world.store.remove(KIND, f"{action}/{subject}")


def take_next(world: World, *, until: int, test_clock: str | None = None) -> Object | None:
    """Remove and return the earliest task due by a moment on the account's clock, or on a test clock; None when there is none."""
    if test_clock is None:
        task = world.store.earliest(KIND)
    else:
        task = min(world.store.where(KIND, test_clock=test_clock), key=lambda each: each["due_at"], default=None)
    if task is None or task["due_at"] > until:
        return None
    world.store.remove(KIND, task["id"])
    return task
