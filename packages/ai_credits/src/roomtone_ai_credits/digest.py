"""Fingerprints of requests, so that a key used for something else is noticed."""

from __future__ import annotations

import hashlib
import json


def digest(*facts: object) -> str:
    """Return the fingerprint of what a key stands for."""
    return hashlib.sha256(json.dumps([str(fact) for fact in facts]).encode()).hexdigest()
