"""What is known of one backup without opening it: a small JSON file beside it, sealed against changes. The backup is there when it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..vault import Vault
from . import facts
from .contents import Contents, from_json, to_json, total_rows
from .errors import BackupDamaged

PURPOSE = "backup"
FORMAT = 1
BYTES_MAX = 16 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Backup:
    """One backup of one tenant.

    Args:
        id: sorts by time.
        key: what the tenant was called then.
        kind: "pg_dump" or "sqlite".
        size_bytes: of the encrypted file.
        sha256: of the encrypted file, in hexadecimal.
        contents: rows and checksums of every table in it.
    """

    id: str
    tenant_id: str
    key: str
    created_at: datetime
    kind: str
    revision: str | None
    size_bytes: int
    sha256: str
    contents: Contents = field(repr=False)

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return total_rows(self.contents)

    @property
    def data_name(self) -> str:
        """Its name in the store."""
        return f"{self.tenant_id}/{self.id}.backup"

    @property
    def manifest_name(self) -> str:
        """The manifest's name in the store."""
        return f"{self.tenant_id}/{self.id}.json"


def write(backup: Backup, vault: Vault) -> bytes:
    """The manifest as it is stored."""
    plain: dict[str, Any] = {"format": FORMAT, "id": backup.id, "tenant_id": backup.tenant_id, "key": backup.key, "kind": backup.kind}
    plain |= {"created_at": backup.created_at.isoformat(), "revision": backup.revision, "size_bytes": backup.size_bytes}
    plain |= {"sha256": backup.sha256, "contents": to_json(backup.contents)}
    return json.dumps(facts.sealed(vault, plain, tenant=backup.tenant_id, purpose=PURPOSE), indent=1, sort_keys=True).encode()


def read(data: bytes, vault: Vault, *, tenant_id: str, backup: str) -> Backup:
    """The manifest, if it is true and this tenant's.

    Raises:
        BackupDamaged: it was altered, or is another's.
        UnknownEncryptionKey, KeyProviderFailed: its master key cannot be had.
    """
    try:
        value: Mapping[str, Any] = json.loads(data)
    except ValueError as error:
        raise BackupDamaged(backup, "its manifest is no JSON") from error
    is_ours = isinstance(value, dict) and value.get("tenant_id") == tenant_id and value.get("id") == backup
    if not is_ours or not facts.is_true(vault, value, tenant=tenant_id, purpose=PURPOSE):
        raise BackupDamaged(backup, "its manifest was altered, or is another tenant's")
    if value["format"] != FORMAT:
        raise BackupDamaged(backup, f"its format {value['format']} is not known here")
    plain = {name: value[name] for name in ("id", "tenant_id", "key", "kind", "revision", "size_bytes", "sha256")}
    return Backup(created_at=datetime.fromisoformat(value["created_at"]), contents=from_json(value["contents"]), **plain)
