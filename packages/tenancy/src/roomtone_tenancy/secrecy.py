"""`tenancy.secrets`: replaces master keys and passwords while tenants are served."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from .events import KeysRotated
from .logins import Logins, PasswordReport, each_of
from .provisioning import Provisioning
from .sealed_rows import KeyRotation, SealedRows
from .tenant import Tenant

DRAIN_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """Everything a host does with the catalog's secrets."""

    rows: SealedRows
    logins: Logins

    @classmethod
    def of(cls, made_by: Provisioning) -> Secrets:
        """The secrets of the catalog that this provisioning works on."""
        rows = SealedRows(catalog=made_by.catalog, vault=made_by.credentials.vault)
        return cls(rows=rows, logins=Logins(of=made_by))

    def status(self) -> dict[str, int]:
        """How many secrets are under each master key: one that counts none, in no process's settings as the current one, can go."""
        return self.rows.by_key()

    def rotate_keys(self, *, batch: int = 200, on_progress: Callable[[KeyRotation], None] | None = None) -> KeyRotation:
        """Bring every secret under the provider's current master key. First give the new key to every process, then make it current.

        Only data keys are wrapped anew: the secrets themselves stay as they are. Where the old master key has leaked together with
        a copy of the catalog they are known, so call `rotate_passwords` too.

        Args:
            batch: rows in one transaction, >= 1.
            on_progress: called after each batch.

        Raises:
            KeyProviderFailed: the provider did not answer.

        Effects:
            Commits each batch; never overwrites a secret that changed meanwhile. Killed at any row, or run twice at once, it
            is simply called again. Rows whose key is unknown or altered are left and named in the result.
        """
        done = self.rows.rewrap(batch=batch, on_progress=on_progress)
        self.logins.of.events.tell(KeysRotated(key_id=done.key_id, rewrapped=done.rewrapped, left=done.left))
        return done

    def rotate_password(self, key: str, *, drain_s: float = DRAIN_S) -> str | None:
        """Give the tenant a new login with a new password; returns its role, None where tenants are files and have none.

        New connections of every process use it as soon as they learn of it (`cache_ttl_s`). Open sessions go on with the old
        login, which also still opens connections until `retire`, or until the next rotation gives it a new password.

        Args:
            drain_s: how long ago the rotation before must be: until then processes may connect with the other login, seconds.
                0 cuts them off.

        Raises:
            UnknownTenant: there is none.
            TenantUnavailable: it is being made or deleted.
            StillDraining: the rotation before is younger than `drain_s`.
            OperationBusy: another process is working on the tenant.

        Effects:
            Commits after each step. Killed anywhere, either the old login or the new one is current and works; call it again.
        """
        return self.logins.rotate(key, drain_s=drain_s)

    def rotate_passwords(
        self,
        where: Callable[[Tenant], bool] = lambda _: True,
        *,
        older_than: datetime | None = None,
        drain_s: float = DRAIN_S,
        on_tenant: Callable[[str, str | None], None] | None = None,
    ) -> PasswordReport:
        """`rotate_password` for many tenants, one after another; a failure stops only its tenant.

        Args:
            where: whether to take this one.
            older_than: take only passwords set before: called again with the same time, it goes on where it was interrupted.
            on_tenant: called after each with its key and its error, None when there is none.
        """
        return each_of(
            self.logins.replaceable(where, older_than), lambda key: self.logins.rotate(key, drain_s=drain_s) is not None, on_tenant
        )

    def retire(self, *, drain_s: float = DRAIN_S, on_tenant: Callable[[str, str | None], None] | None = None) -> PasswordReport:
        """Close every login that was replaced at least `drain_s` seconds ago: nobody can log in with its password any more.

        Effects:
            Forgets the password. Sessions that are open go on; end them on the server if the password is known to others.
        """
        return each_of(self.logins.replaced(), lambda key: self.logins.retire(key, drain_s=drain_s), on_tenant)

    def exposed(self) -> list[str]:
        """Databases that tenants' logins may connect to though they are not theirs, a sentence each with what closes it.

        PostgreSQL lets every role connect to a new database, `postgres` and the catalog's among them, unless the right is revoked;
        a right cannot be taken from single roles, so the host decides for whom else it is needed.
        """
        return [
            f"Every login on {name!r} may connect to the database {database!r}: "
            f'REVOKE CONNECT, TEMPORARY ON DATABASE "{database}" FROM PUBLIC, and grant it to the roles that need it.'
            for name, site in self.logins.of.sites.by_name.items()
            for database in site.provisioner.open_databases()
        ]
