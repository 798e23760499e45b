"""Secrets we hand out and keep only as hashes."""

from __future__ import annotations

import hashlib
import secrets


def new_token() -> str:
    """A secret for a cookie or a link: 256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """What the database keeps of a token. Plain SHA-256 does for 256 random bits; a slow hash is for passwords."""
    return hashlib.sha256(token.encode()).hexdigest()
