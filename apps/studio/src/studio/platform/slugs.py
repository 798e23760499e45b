"""Which names a studio may have on our domain."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

LENGTH_MIN = 3
LENGTH_MAX = 40
_SHAPE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
OWN_NAMES = frozenset({"backoffice", "demo", "platform", "roomtone", "stripe", "studio"})
"""Kept beside those that no tenant gets anywhere."""


class SlugFault(StrEnum):
    """Why a name cannot be a slug."""

    too_short = "too_short"
    too_long = "too_long"
    shape = "shape"


def slug_fault(slug: str) -> SlugFault | None:
    """Why this cannot be a studio's name in its address; None when it can.

    A slug is 3 to 40 of a-z, 0-9 and single hyphens between them, so that it is one label of a host name (RFC 1123),
    and none that starts like punycode (`xn--`).
    """
    if len(slug) < LENGTH_MIN:
        return SlugFault.too_short
    if len(slug) > LENGTH_MAX:
        return SlugFault.too_long
    if not _SHAPE.fullmatch(slug):
        return SlugFault.shape
    return None


def suggest_slug(name: str) -> str:
    """A slug made from a studio's name: 'Studio Écho & Fils' → 'studio-echo-fils'. May be too short to use."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LENGTH_MAX].rstrip("-")
