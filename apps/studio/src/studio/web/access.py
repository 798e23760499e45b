"""Who may open a page. Pages are closed unless their view is public by design."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from studio.errors import NotAllowed
from studio.web.request import actor

P = ParamSpec("P")
R = TypeVar("R")

STAFF_ROLES = frozenset({"owner", "manager", "engineer", "assistant", "accountant", "viewer"})


def staff_only(view: Callable[P, R]) -> Callable[P, R]:
    """Let in the studio's own people; others are sent to the sign-in page and back."""
    return _only(STAFF_ROLES, view)


def platform_staff_only(view: Callable[P, R]) -> Callable[P, R]:
    """Let in our own staff, in the back-office."""
    return _only(frozenset({"staff"}), view)


def members_only(view: Callable[P, R]) -> Callable[P, R]:
    """Let in anyone signed in on the platform host."""
    return _only(frozenset({"member"}), view)


def _only(roles: frozenset[str], view: Callable[P, R]) -> Callable[P, R]:
    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        if actor().role not in roles:
            raise NotAllowed
        return view(*args, **kwargs)

    return guarded
