"""One tenant's backups in the store: written encrypted, listed by their manifests, read only after they proved true."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from ..vault import Vault
from . import manifests, streams
from .copiers import Snapshot
from .errors import BackupDamaged, NoStore, UnknownBackup
from .manifests import Backup
from .retention import Retention, kept
from .stores import Store


@dataclass(frozen=True, kw_only=True)
class BackupShelf:
    """The backups of the tenant with this id.

    Args:
        title: what messages call the tenant.
    """

    store: Store
    vault: Vault
    tenant_id: str
    title: str

    def write(self, backup_id: str, snapshot: Snapshot, *, key: str, at: datetime) -> Backup:
        """Encrypt a snapshot into the store, without its manifest: it is no backup yet."""
        digest, size = hashlib.sha256(), [0]

        def counted(chunks: Iterable[bytes]) -> Iterator[bytes]:
            for chunk in chunks:
                digest.update(chunk)
                size[0] += len(chunk)
                yield chunk

        sealed = streams.seal(snapshot.chunks, self.vault.keys, tenant=self.tenant_id, backup=backup_id)
        self.store.write(f"{self.tenant_id}/{backup_id}.backup", counted(sealed))
        return Backup(
            id=backup_id,
            tenant_id=self.tenant_id,
            key=key,
            created_at=at,
            kind=snapshot.kind,
            revision=snapshot.revision,
            size_bytes=size[0],
            sha256=digest.hexdigest(),
            contents=snapshot.contents,
        )

    def publish(self, backup: Backup) -> None:
        """Write its manifest: from here on it is a backup."""
        self.store.write(backup.manifest_name, [manifests.write(backup, self.vault)])

    def list(self) -> list[Backup]:
        """All of them, the oldest first.

        Raises:
            BackupDamaged: a manifest is not true.
        """
        names = [name for name in self.store.names(self.tenant_id) if name.endswith(".json")]
        return [self.find(name.rpartition("/")[2].removesuffix(".json")) for name in names]

    def find(self, backup_id: str | None) -> Backup:
        """This one, or the newest.

        Raises:
            UnknownBackup: there is none.
            BackupDamaged: its manifest is not true.
        """
        if backup_id is None:
            names = [name for name in self.store.names(self.tenant_id) if name.endswith(".json")]
            if not names:
                raise UnknownBackup(self.title, None)
            backup_id = names[-1].rpartition("/")[2].removesuffix(".json")
        try:
            data = b"".join(self.store.read(f"{self.tenant_id}/{backup_id}.json"))
        except FileNotFoundError as error:
            raise UnknownBackup(self.title, backup_id) from error
        return manifests.read(data, self.vault, tenant_id=self.tenant_id, backup=backup_id)

    def read(self, backup: Backup) -> Iterator[bytes]:
        """Its plain contents, in chunks; the end is reached only if all of it was true.

        Raises:
            BackupDamaged: the file is not the one that the manifest speaks of, altered, or cut short.
            UnknownEncryptionKey, KeyProviderFailed: its master key cannot be had.
        """
        digest = hashlib.sha256()

        def hashed() -> Iterator[bytes]:
            try:
                for chunk in self.store.read(backup.data_name):
                    digest.update(chunk)
                    yield chunk
            except FileNotFoundError as error:
                raise BackupDamaged(backup.id, "its file is missing") from error

        yield from streams.unseal(hashed(), self.vault.keys, tenant=self.tenant_id, backup=backup.id)
        if digest.hexdigest() != backup.sha256:
            raise BackupDamaged(backup.id, "its file is another one than the manifest's")

    def check(self, backup: Backup) -> None:
        """Read all of it; otherwise as `read`."""
        for _ in self.read(backup):
            pass

    def prune(self, retention: Retention, *, is_dry: bool = False) -> Sequence[Backup]:
        """Remove what the retention does not keep, and what never became a backup; returns the former."""
        backups = self.list()
        keep = kept([backup.created_at for backup in backups], retention)
        gone = [backup for backup in backups if backup.created_at not in keep]
        if is_dry:
            return gone
        for backup in gone:  # the manifest first: without it the rest is no backup, and the next sweep removes it
            self.store.remove(backup.manifest_name)
            self.store.remove(backup.data_name)
        whole = {backup.data_name for backup in backups if backup not in gone}
        for name in self.store.names(self.tenant_id):
            if name.endswith(".backup") and name not in whole:
                self.store.remove(name)
        return gone


def shelf_of(store: Store | None, vault: Vault, tenant_id: str, title: str) -> BackupShelf:
    """The tenant's shelf.

    Raises:
        NoStore: backups have no place.
    """
    if store is None:
        raise NoStore
    return BackupShelf(store=store, vault=vault, tenant_id=tenant_id, title=title)
