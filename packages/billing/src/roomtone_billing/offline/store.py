"""The objects, in memory, and a SQLite file that keeps every committed change when one is given."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import missing
from .objects import Object

TABLE = """CREATE TABLE IF NOT EXISTS records
    (kind TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id))"""
WRITE = "INSERT INTO records (kind, id, seq, body) VALUES (?, ?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body"


class Store:
    """Objects by kind and id, in the order they were added.

    Objects are values: a change puts a new dict in place of the old one, so whoever holds the old one (an event's payload, the way back of
    a failed request) holds the past. All writes happen inside `transaction()`. Not thread-safe: the caller holds the one lock.

    Args:
        path: SQLite file; None keeps everything in memory only.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._kinds: dict[str, dict[str, Object]] = {}
        self._order: dict[tuple[str, str], int] = {}
        self._next = 1
        self._undo: list[tuple[str, str, Object | None]] | None = None
        self._file = None if path is None else _open(path)
        for kind, object_id, seq, body in self._file.execute("SELECT kind, id, seq, body FROM records ORDER BY seq") if self._file else ():
            self._kinds.setdefault(kind, {})[object_id] = json.loads(body)
            self._order[kind, object_id] = seq
            self._next = seq + 1

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes inside happen or none does; on leaving they are in the file. Nested use joins the outer one."""
        if self._undo is not None:
            yield
            return
        self._undo = []
        try:
            yield
            self._save()
        except BaseException:
            self._roll_back()
            raise
        finally:
            self._undo = None

    def add(self, kind: str, value: Object) -> Object:
        """Keep a new object under its `id`."""
        object_id = value["id"]
        assert self.find(kind, object_id) is None, f"{kind} {object_id} exists"
        self._put(kind, object_id, value)
        return value

    def find(self, kind: str, object_id: str | None) -> Object | None:
        """Return the object or None."""
        return self._kinds.get(kind, {}).get(object_id or "")

    def get(self, kind: str, object_id: str, *, param: str = "id") -> Object:
        """Return the object; raises Stripe's `resource_missing` naming `param`."""
        found = self.find(kind, object_id)
        if found is None or found.get("deleted"):
            raise missing(kind, object_id, param=param)
        return found

    def change(self, kind: str, object_id: str, **values: object) -> Object:
        """Replace fields of an object and return the new object."""
        changed = {**self._kinds[kind][object_id], **values}
        self._put(kind, object_id, changed)
        return changed

    def replace(self, kind: str, value: Object) -> Object:
        """Put a whole object in place of the one with its id, or add it."""
        self._put(kind, value["id"], value)
        return value

    def remove(self, kind: str, object_id: str) -> None:
        """Forget an object; a missing one is fine."""
        if self.find(kind, object_id) is not None:
            self._put(kind, object_id, None)

    def all(self, kind: str) -> list[Object]:
        """Return every object of a kind, first added first."""
        return list(self._kinds.get(kind, {}).values())

    def where(self, kind: str, **fields: object) -> Iterable[Object]:
        """Yield the objects whose fields equal the given ones, first added first."""
        return (each for each in self.all(kind) if all(each.get(name) == wanted for name, wanted in fields.items()))

    def count(self, name: str) -> int:
        """Return the next number of a counter, from 1."""
        number = int((self.find("counter", name) or {"value": 0})["value"]) + 1
        self.replace("counter", {"id": name, "value": number})
        return number

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()

    def _put(self, kind: str, object_id: str, value: Object | None) -> None:
        assert self._undo is not None, "a write outside a transaction"
        objects = self._kinds.setdefault(kind, {})
        self._undo.append((kind, object_id, objects.get(object_id)))
        if value is None:
            del objects[object_id]
            return
        if object_id not in objects:
            self._order[kind, object_id] = self._next
            self._next += 1
        objects[object_id] = value

    def _save(self) -> None:
        if self._file is None or not self._undo:
            return
        with self._file:
            for kind, object_id in dict.fromkeys((kind, object_id) for kind, object_id, _ in self._undo):
                value = self.find(kind, object_id)
                if value is None:
                    self._file.execute("DELETE FROM records WHERE kind = ? AND id = ?", (kind, object_id))
                else:
                    self._file.execute(WRITE, (kind, object_id, self._order[kind, object_id], json.dumps(value)))

    def _roll_back(self) -> None:
        for kind, object_id, before in reversed(self._undo or []):
            if before is None:
                self._kinds[kind].pop(object_id, None)
            else:
                self._kinds[kind][object_id] = before


def _open(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, check_same_thread=False)
    # A killed process loses nothing that was committed in write-ahead mode; only the machine's own crash could lose the last moments.
    file.execute("PRAGMA journal_mode=WAL")
    file.execute("PRAGMA synchronous=NORMAL")
    file.execute(TABLE)
    file.commit()
    return file
