"""What a clone must lose before anybody may open it: plain functions of the host's, known by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from ..tenant import Tenant
from .errors import UnknownScrub

Scrub = Callable[[Session, Tenant], object]
"""Gets a session of the clone as the owner of its database, and the clone. What it writes is committed for it, with that it was scrubbed.

It runs once more if the process is killed before that commit: it may count on nothing outside of the clone.
"""


def named(scrubs: Sequence[Scrub]) -> dict[str, Scrub]:
    """The functions by their names.

    Raises:
        ValueError: two have one name, or one has none.
    """
    found: dict[str, Scrub] = {}
    for scrub in scrubs:
        name = str(getattr(scrub, "__name__", "<lambda>"))
        if name == "<lambda>" or name in found:
            raise ValueError(f"A scrub is found again by its name, and {name!r} is none or is another's: give plain functions.")
        found[name] = scrub
    return found


def chosen(known: Mapping[str, Any], wanted: Sequence[str] | None) -> list[str]:
    """The names of those that are to run: all of them when None are named.

    Raises:
        UnknownScrub: there is none of this name, or none at all and it was not said that there need be none.
    """
    if wanted is None:
        if not known:
            raise UnknownScrub((), known=())
        return list(known)
    if missing := tuple(name for name in wanted if name not in known):
        raise UnknownScrub(missing, known=tuple(known))
    return list(dict.fromkeys(wanted))
