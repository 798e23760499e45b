"""The states of a tenant and the allowed moves between them, as one table."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from .errors import IllegalMove


class TenantState(StrEnum):
    """Where a tenant is in its life. A failure is a fact about an operation, never a state."""

    REQUESTED = "requested"
    PROVISIONING = "provisioning"
    ACTIVE = "active"
    READ_ONLY = "read_only"
    SUSPENDED = "suspended"
    ARCHIVED = "archived"
    DELETING = "deleting"
    DELETED = "deleted"

    @property
    def may_read(self) -> bool:
        """Whether sessions are given out."""
        return self in (TenantState.ACTIVE, TenantState.READ_ONLY)


_S = TenantState
MOVES: Mapping[TenantState, frozenset[TenantState]] = {
    _S.REQUESTED: frozenset({_S.PROVISIONING, _S.DELETING}),
    _S.PROVISIONING: frozenset({_S.ACTIVE, _S.DELETING}),
    _S.ACTIVE: frozenset({_S.READ_ONLY, _S.SUSPENDED, _S.DELETING}),
    _S.READ_ONLY: frozenset({_S.ACTIVE, _S.SUSPENDED, _S.DELETING}),
    _S.SUSPENDED: frozenset({_S.ACTIVE, _S.READ_ONLY, _S.ARCHIVED, _S.DELETING}),
    _S.ARCHIVED: frozenset({_S.SUSPENDED, _S.DELETING}),
    _S.DELETING: frozenset({_S.DELETED}),
    _S.DELETED: frozenset(),
}


def check_move(key: str, before: TenantState, after: TenantState) -> None:
    """Refuse what the table does not allow.

    Raises:
        IllegalMove: there is no such move; staying where one is counts as none too.
    """
    if after not in MOVES[before]:
        raise IllegalMove(key, before=before, after=after)
