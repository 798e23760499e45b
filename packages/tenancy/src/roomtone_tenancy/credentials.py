"""Passwords of tenants' database roles, sealed in the catalog."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, bindparam, delete, insert, select
from sqlalchemy.orm import Session

from . import faults
from .errors import Undecryptable, UnknownEncryptionKey
from .lease import Lease
from .models import CredentialRow
from .provisioners import Login
from .tenant import Tenant
from .vault import Sealed, SealedLogin, Vault

_TABLE, _COLUMN = "tenancy_credentials", "secret"
_CURRENT = select(CredentialRow.role, CredentialRow.key_id, CredentialRow.secret).where(
    CredentialRow.tenant_id == bindparam("id"), CredentialRow.is_current
)


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Draws, stores and opens passwords."""

    catalog: Engine
    vault: Vault
    clock: Callable[[], datetime]

    def ensure(self, lease: Lease, tenant_id: str, role: str) -> Login:
        """The role with its password, drawn and stored first if there is none: a role is never made with one that nobody knows."""
        with Session(self.catalog) as session, session.begin():
            lease.check(session)
            row = session.get(CredentialRow, (tenant_id, role))
            if row is not None:
                return self._open(row)
            login, sealed = self.invent(tenant_id, role)
            self.store(session, tenant_id, role, sealed)
        faults.point("credentials.stored")
        return login

    def invent(self, tenant_id: str, role: str) -> tuple[Login, Sealed]:
        """A new password in clear, and sealed for a tenant that may not exist yet."""
        login = Login(role=role, password=secrets.token_urlsafe(24))
        return login, self._seal(tenant_id, login)

    def unseal(self, tenant_id: str, role: str, sealed: Sealed) -> Login:
        """The login whose password `invent` sealed."""
        return Login(role=role, password=self.vault.open(sealed, tenant=tenant_id, table=_TABLE, column=_COLUMN))

    def store(self, session: Session, tenant_id: str, role: str, sealed: Sealed) -> None:
        """Add the role's first password within the transaction."""
        values = {"key_id": sealed.key_id, "secret": sealed.data, "is_current": True, "created_at": self.clock()}
        session.connection().execute(insert(CredentialRow).values(tenant_id=tenant_id, role=role, **values))

    def current(self, tenant_id: str) -> Login | None:
        """The login to connect as; None when none is stored."""
        with self.catalog.connect() as connection:
            row = connection.execute(_CURRENT, {"id": tenant_id}).first()
        return None if row is None else self.unseal(tenant_id, row.role, Sealed(key_id=row.key_id, data=row.secret))

    def of(self, tenant: Tenant, known: SealedLogin | None) -> Login | None:
        """The login to connect as, opened from what a look-up knew, or read."""
        if known is not None:
            with suppress(UnknownEncryptionKey, Undecryptable):  # its master key was replaced since
                return self.unseal(tenant.id, *known)
        return self.current(tenant.id)

    def draw(self, lease: Lease, tenant_id: str, role: str) -> Login:
        """Store a new password for a login that is not the current one, and return it."""
        login = Login(role=role, password=secrets.token_urlsafe(24))
        sealed = self._seal(tenant_id, login)
        with Session(self.catalog) as session, session.begin():
            lease.check(session)
            values = {"key_id": sealed.key_id, "secret": sealed.data, "is_current": False, "created_at": self.clock()}
            session.merge(CredentialRow(tenant_id=tenant_id, role=role, **values))
        return login

    def switch(self, session: Session, tenant_id: str, role: str) -> None:
        """Make this login the current one, within the caller's transaction; its password counts as set now."""
        for row in session.scalars(select(CredentialRow).where(CredentialRow.tenant_id == tenant_id).order_by(CredentialRow.role)):
            row.is_current = row.role == role
            if row.is_current:
                row.created_at = self.clock()
        session.flush()

    def draining_since(self, tenant_id: str) -> datetime | None:
        """When the current login took over; None when no other one is on file."""
        with Session(self.catalog) as session:
            rows = session.scalars(select(CredentialRow).where(CredentialRow.tenant_id == tenant_id)).all()
        return max((row.created_at for row in rows if row.is_current), default=None) if len(rows) > 1 else None

    def forget(self, lease: Lease, tenant_id: str, role: str) -> None:
        """Remove the password of a login that is not the current one."""
        with Session(self.catalog) as session, session.begin():
            lease.check(session)
            gone = delete(CredentialRow).where(CredentialRow.tenant_id == tenant_id, CredentialRow.role == role)
            session.execute(gone.where(CredentialRow.is_current.is_(False)))

    def _seal(self, tenant_id: str, login: Login) -> Sealed:
        return self.vault.seal(login.password, tenant=tenant_id, table=_TABLE, column=_COLUMN)

    def _open(self, row: CredentialRow) -> Login:
        return self.unseal(row.tenant_id, row.role, Sealed(key_id=row.key_id, data=row.secret))
