"""Fingerprints of requests, so that a key used for something else is noticed."""

from __future__ import annotations

import hashlib
from json.encoder import encode_basestring_ascii


def digest(*facts: object) -> str:
    """Return the fingerprint of what a key stands for."""
    # A list in JSON, as json.dumps writes it at thrice the price.
    written = ", ".join([encode_basestring_ascii(str(fact)) for fact in facts])
    return hashlib.sha256(f"[{written}]".encode()).hexdigest()
