"""Tenant keys: what a host calls a tenant, and the opaque names that databases get instead."""

from __future__ import annotations

import re
import secrets

from .errors import BadKey

PREFIX = "rt_"
_KEY = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def check(key: str) -> str:
    """Return the key if it is one: 1 to 63 of a-z, 0-9 and '-', so that it also fits a DNS label.

    Raises:
        BadKey: it is not. Nothing is folded or trimmed: two spellings must never mean one tenant.
    """
    if not _KEY.fullmatch(key):
        raise BadKey(key)
    return key


def random_text(length: int) -> str:
    """Characters that need no quoting in any database or file system, from the system's source of randomness."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def opaque_name(installation: str) -> str:
    """A name for a database that says nothing of its tenant: every role of a server can list all of them."""
    return f"{PREFIX}{installation}_{random_text(12)}"
