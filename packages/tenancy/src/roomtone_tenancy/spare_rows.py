"""A spare as the catalog keeps it."""

from __future__ import annotations

from typing import Any

from .claim import Claim
from .models import SpareRow
from .vault import Sealed


def row_of(claim: Claim, state: str) -> SpareRow:
    """The catalog's row of a spare."""
    return SpareRow(
        id=claim.id,
        server=claim.server,
        database=claim.database,
        state=state,
        revision=claim.revision or None,
        role=claim.role,
        key_id=claim.sealed.key_id if claim.sealed else None,
        secret=claim.sealed.data if claim.sealed else None,
        created_at=claim.created_at,
    )


def claim_of(row: Any) -> Claim:  # a SpareRow, or the columns of one
    """What can be claimed of a row."""
    return Claim(
        id=row.id,
        server=row.server,
        database=row.database,
        revision=row.revision or "",
        role=row.role,
        sealed=Sealed(key_id=row.key_id, data=row.secret) if row.key_id is not None and row.secret is not None else None,
        created_at=row.created_at,
    )
