"""Idempotency keys: the same key and parameters get the stored answer, other parameters an error.

Source: https://docs.stripe.com/api/idempotent_requests
"""

from __future__ import annotations

import hashlib

from .errors import IdempotencyMismatch
from .objects import Object
from .world import World

KIND = "idempotency_key"
KEPT_S = 24 * 3600
KEY_MAX = 255


def make_fingerprint(method: str, path: str, body: bytes) -> str:
    """Return what a key stands for."""
    return hashlib.sha256(f"{method} {path}\n".encode() + body).hexdigest()


def replay(world: World, key: str, request: str) -> Object | None:
    """Return the stored `{"status", "body"}` of a key, or None when the key is new.

    Raises:
        IdempotencyMismatch: the key was used for another request.
    """
    kept = world.store.find(KIND, key)
    if kept is None or kept["created"] <= world.courier_now - KEPT_S:
        return None
    if kept["request"] != request:
        raise IdempotencyMismatch(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. "
            f"Try using a key other than '{key}' if you meant to execute a different request."
        )
    return kept


def keep(world: World, key: str, request: str, *, status: int, body: str) -> None:
    """Store an answer for a day."""
    world.store.replace(KIND, {"id": key, "request": request, "status": status, "body": body, "created": world.courier_now})


def forget_old(world: World) -> None:
    """Drop the answers older than a day."""
    oldest = world.courier_now - KEPT_S
    for each in [each for each in world.store.all(KIND) if each["created"] <= oldest]:
        world.store.remove(KIND, each["id"])
