"""The catalog's rows that hold a sealed secret, and their way from one master key to another while tenants are served."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, Table, func, select, tuple_, update

from .errors import UnknownEncryptionKey
from .models import CatalogRow, CredentialRow, ServerRow, SpareRow
from .vault import Sealed, Vault

_HOLDERS: tuple[type[CatalogRow], ...] = (CredentialRow, ServerRow, SpareRow)
PASSES_MAX = 3  # a row that another process changed meanwhile is looked at again


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRotation:
    """How far a rotation of the master key is.

    Args:
        key_id: the key that every row should be under.
        rewrapped: rows brought there by this run.
        left: rows under other keys, those that failed among them.
        failed: why, by `table/primary key`; such a row stays as it was, and the next run tries it again.
    """

    key_id: str
    rewrapped: int
    left: int
    failed: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class SealedRows:
    """Passwords of logins and spares, and administrators' URLs."""

    catalog: Engine
    vault: Vault
    tables: Sequence[Table] = field(default=tuple(holder.__table__ for holder in _HOLDERS), repr=False)  # type: ignore[misc]  # a Table

    def by_key(self) -> dict[str, int]:
        """Rows under each master key."""
        found: Counter[str] = Counter()
        with self.catalog.connect() as connection:
            for table in self.tables:
                counts = select(table.c.key_id, func.count()).where(table.c.secret.is_not(None)).group_by(table.c.key_id)
                for key_id, count in connection.execute(counts):
                    found[key_id] += count
        return dict(found)

    def rewrap(self, *, batch: int, on_progress: Callable[[KeyRotation], None] | None) -> KeyRotation:
        """See `Secrets.rotate_keys`."""
        if batch < 1:
            raise ValueError("A batch needs at least one row.")
        rewrapped, failed = 0, dict[str, str]()
        for _ in range(PASSES_MAX):
            seen = 0
            for table, rows in self._outdated(batch):
                seen += len(rows)
                rewrapped += self._replace(table, rows, failed)
                if on_progress is not None:
                    on_progress(self._report(rewrapped, failed))
            if seen <= len(failed):
                break
        return self._report(rewrapped, failed)

    def _outdated(self, batch: int) -> Iterator[tuple[Table, Sequence[Any]]]:  # rows of primary key, key id, secret
        for table in self.tables:
            key = tuple_(*table.primary_key)
            wanted = select(*table.primary_key, table.c.key_id, table.c.secret).order_by(*table.primary_key).limit(batch)
            wanted = wanted.where(table.c.secret.is_not(None), table.c.key_id != self.vault.keys.current)
            page = wanted
            while True:
                with self.catalog.connect() as connection:
                    rows = connection.execute(page).all()
                if not rows:
                    break
                yield table, rows
                page = wanted.where(key > tuple(rows[-1][:-2]))

    def _replace(self, table: Table, rows: Sequence[Any], failed: dict[str, str]) -> int:
        """Write the batch in one short transaction. The provider was asked before, so that no lock waits for it."""
        changes = []
        for *key, key_id, secret in rows:
            name = "/".join([table.name, *key])
            try:
                changes.append((key, secret, self.vault.rewrap(Sealed(key_id=key_id, data=secret))))
                failed.pop(name, None)
            except UnknownEncryptionKey as error:
                failed[name] = str(error)
            except ValueError:
                failed[name] = f"The data key does not open under {key_id!r}: it was altered; restore the row or its key."
        done = 0
        with self.catalog.begin() as connection:
            for key, secret, sealed in changes:
                # Compare and set: a password that was replaced meanwhile is newer than what we read.
                unchanged = [column == value for column, value in zip(table.primary_key, key, strict=True)] + [table.c.secret == secret]
                done += connection.execute(update(table).where(*unchanged).values(key_id=sealed.key_id, secret=sealed.data)).rowcount
        return done

    def _report(self, rewrapped: int, failed: Mapping[str, str]) -> KeyRotation:
        current = self.vault.keys.current
        left = sum(count for key_id, count in self.by_key().items() if key_id != current)
        return KeyRotation(key_id=current, rewrapped=rewrapped, left=left, failed=dict(failed))
