"""What should be on the servers, as the catalog says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from ..fleet.desk import MIGRATED_STATES
from ..models import CredentialRow, TenantRow


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """One tenant whose database should be there.

    Args:
        role: its current login; None where tenants are files.
    """

    id: str
    key: str
    database: str
    role: str | None


def expected(catalog: Engine) -> Mapping[str, Sequence[Expected]]:
    """All of them by server, in the order of their keys."""
    columns = (TenantRow.id, TenantRow.key, TenantRow.server, TenantRow.database, CredentialRow.role)
    own_login = (CredentialRow.tenant_id == TenantRow.id) & CredentialRow.is_current
    wanted = (
        select(*columns).outerjoin(CredentialRow, own_login).where(TenantRow.state.in_(MIGRATED_STATES), TenantRow.database.is_not(None))
    )
    found: defaultdict[str, list[Expected]] = defaultdict(list)
    with Session(catalog) as session:
        for row in session.execute(wanted.order_by(TenantRow.key)):
            found[row.server or ""].append(Expected(id=row.id, key=row.key, database=row.database or "", role=row.role))
    return found
