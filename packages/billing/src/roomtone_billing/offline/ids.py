"""Deterministic object ids: the same seed and the same order of calls give the same ids."""

from __future__ import annotations

import hashlib

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TABLE = bytes(ord(ALPHABET[byte % len(ALPHABET)]) for byte in range(256))


def make_id(prefix: str, *, seed: int, number: int, length: int = 24) -> str:
    """Return `prefix_` and `length` base-62 characters that depend on the seed, the prefix and the object's number alone."""
    digest = hashlib.sha512(f"{seed}/{prefix}/{number}".encode()).digest()
    assert length <= len(digest), "an id has at most 64 characters"
    return f"{prefix}_{digest[:length].translate(TABLE).decode()}"
