"""The agenda: what must happen at a moment of the virtual time (a renewal, a retry, an expiry)."""

from __future__ import annotations

from .objects import Object
from .world import World

KIND = "task"


def plan(world: World, action: str, subject: str, *, at: int) -> None:
    """Note that `action` is due for `subject` at a moment (unix seconds). One per action and subject: a later plan moves it."""
    world.store.replace(KIND, {"id": f"{action}/{subject}", "action": action, "subject": subject, "due_at": at})


def cancel(world: World, action: str, subject: str) -> None:
    """Take it off; nothing planned is fine."""
    world.store.remove(KIND, f"{action}/{subject}")


def take_next(world: World, *, until: int) -> Object | None:
    """Remove and return the earliest task due by a moment, or None."""
    task = min(world.store.all(KIND), key=lambda each: each["due_at"], default=None)
    if task is None or task["due_at"] > until:
        return None
    world.store.remove(KIND, task["id"])
    return task
