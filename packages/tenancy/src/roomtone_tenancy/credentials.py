"""Passwords of tenants' database roles, sealed in the catalog."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from .lease import Lease
from .models import CredentialRow
from .vault import Sealed, Vault

_TABLE, _COLUMN = "tenancy_credentials", "secret"


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Draws, stores and opens passwords."""

    catalog: Engine
    vault: Vault
    clock: Callable[[], datetime]

    def ensure(self, lease: Lease, tenant_id: str, role: str) -> str:
        """The role's password, drawn and stored first if there is none: a role is never made with one that nobody knows."""
        with Session(self.catalog) as session, session.begin():
            lease.check(session)
            row = session.get(CredentialRow, (tenant_id, role))
            if row is not None:
                return self._open(row)
            password = secrets.token_urlsafe(24)
            sealed = self.vault.seal(password, tenant=tenant_id, table=_TABLE, column=_COLUMN)
            session.add(CredentialRow(tenant_id=tenant_id, role=role, key_id=sealed.key_id, secret=sealed.data, created_at=self.clock()))
        return password

    def open(self, tenant_id: str, role: str) -> str | None:
        """The role's password; None when none is stored."""
        with Session(self.catalog) as session:
            row = session.get(CredentialRow, (tenant_id, role))
            return None if row is None else self._open(row)

    def _open(self, row: CredentialRow) -> str:
        sealed = Sealed(key_id=row.key_id, data=row.secret)
        return self.vault.open(sealed, tenant=row.tenant_id, table=_TABLE, column=_COLUMN)
