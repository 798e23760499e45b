"""Checking that a webhook was signed by Stripe, now, with one of our secrets. Never raises anything but `BadSignature`.

The SDK's verifier accepts times in the future, takes a tolerance of 0 for "no limit", and raises five other exceptions for odd input.

Source: https://docs.stripe.com/webhooks#verify-manually
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime

from .errors import BadSignature

HEADER_CHARS_MAX = 4096
_TIME = re.compile(r"[0-9]{1,12}")


def verify(payload: bytes, header: str | None, *, secrets: Sequence[str], now: datetime, tolerance_s: int) -> None:
    """Return if one of `secrets` signed `payload` within `tolerance_s` seconds before or after `now`.

    Raises:
        BadSignature: in every other case, also when there is no secret at all.
    """
    if not any(secrets):
        raise BadSignature("no signing secret is configured")
    if not header or len(header) > HEADER_CHARS_MAX or not header.isascii():
        raise BadSignature("the signature header is absent or unreadable")
    parts = [part.partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name.strip() == "t"]
    given = [value for name, _, value in parts if name.strip() == "v1"]
    if len(times) != 1 or not _TIME.fullmatch(times[0]) or not given:
        raise BadSignature("the signature header has no time or no v1 signature")
    if not _matches(payload, times[0], given, secrets):
        raise BadSignature("no secret of ours made this signature")
    age_s = now.timestamp() - int(times[0])
    if abs(age_s) > tolerance_s:
        raise BadSignature(f"the signature is {age_s:.0f} s old, {tolerance_s} s either way are allowed")


def sign(payload: bytes, *, secret: str, at: datetime) -> str:
    """The header Stripe would send: for tests and stand-ins."""
    time = str(int(at.timestamp()))
    return f"t={time},v1={_digest(payload, time, secret)}"


def _matches(payload: bytes, time: str, given: Sequence[str], secrets: Sequence[str]) -> bool:
    expected = [_digest(payload, time, secret) for secret in secrets if secret]
    # Every pair is compared, so the time taken says nothing about which secret was near.
    return max(hmac.compare_digest(one, other) for one in expected for other in given)


def _digest(payload: bytes, time: str, secret: str) -> str:
    return hmac.new(secret.encode(), time.encode() + b"." + payload, hashlib.sha256).hexdigest()
