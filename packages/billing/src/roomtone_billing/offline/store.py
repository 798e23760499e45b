"""The objects, in memory, and a SQLite file that keeps every committed change when one is given."""

from __future__ import annotations

import json
import sqlite3
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import missing
from .objects import Object

TABLE = """CREATE TABLE IF NOT EXISTS records
    (kind TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id))"""
WRITE = "INSERT INTO records (kind, id, seq, body) VALUES (?, ?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body"
# Fields by which objects are looked up often enough for an index.
INDEXED = ("test_clock", "customer", "charge", "event", "invoice", "payment_intent", "subscription", "lookup_key")
# What belongs to no connected account: the clock and counters, what is due, deliveries, endpoints, accounts, answers to keys.
SHARED = frozenset(["account", "connect_endpoint", "counter", "delivery", "idempotency_key", "task", "webhook_endpoint"])


class Store:
    """Objects by kind and id, in the order they were added.

    Objects are values: a change puts a new dict in place of the old one, so whoever holds the old one (an event's payload, the way back of
    a failed request) holds the past. All writes happen inside `transaction()`. Not thread-safe: the caller holds the one lock.

    Attributes:
        account: the connected account whose objects are seen; None is the platform's own. Neither sees the other's.

    Args:
        path: SQLite file; None keeps everything in memory only.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._kinds: dict[str, dict[str, Object]] = {}
        self._order: dict[tuple[str, str], int] = {}
        self._next = 1
        self._places: dict[tuple[str, str, str], set[str]] = {}
        self._due: dict[str, list[tuple[float, int, str]]] = {}
        self.account: str | None = None
        self._undo: list[tuple[str, str, Object | None]] | None = None
        self._file = None if path is None else _open(path)
        for kind, object_id, seq, body in self._file.execute("SELECT kind, id, seq, body FROM records ORDER BY seq") if self._file else ():
            self._order[kind, object_id] = seq
            self._next = seq + 1
            self._set(kind, object_id, json.loads(body))

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

    @contextmanager
    def seen_as(self, account: str | None) -> Iterator[None]:
        """See the objects of a connected account, or with None the platform's, while inside."""
        before, self.account = self.account, account
        try:
            yield
        finally:
            self.account = before

    def account_of(self, kind: str, object_id: str) -> str | None:
        """Return the connected account that has an object; None when it is the platform's, or nobody's."""
        for scoped, objects in self._kinds.items():
            account, _, name = scoped.rpartition("/")
            if name == kind and account and object_id in objects:
                return account
        return None

    def add(self, kind: str, value: Object) -> Object:
        """Keep a new object under its `id`."""
        object_id = value["id"]
        assert self.find(kind, object_id) is None, f"{kind} {object_id} exists"
        self._put(kind, object_id, value)
        return value

    def find(self, kind: str, object_id: str | None) -> Object | None:
        """Return the object or None."""
        return self._kinds.get(self._scoped(kind), {}).get(object_id or "")

    def get(self, kind: str, object_id: str, *, param: str = "id") -> Object:
        """Return the object; raises Stripe's `resource_missing` naming `param`."""
        found = self.find(kind, object_id)
        if found is None or found.get("deleted"):
            raise missing(kind, object_id, param=param)
        return found

    def change(self, kind: str, object_id: str, **values: object) -> Object:
        """Replace fields of an object and return the new object."""
        changed = {**self._kinds[self._scoped(kind)][object_id], **values}
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
        return list(self._kinds.get(self._scoped(kind), {}).values())

    def where(self, kind: str, **fields: object) -> Iterable[Object]:
        """Yield the objects whose fields equal the given ones, first added first."""
        found = self._found_by_index(kind, fields)
        return (each for each in found if all(each.get(name) == wanted for name, wanted in fields.items()))

    def due(self, kind: str, *, until: float) -> list[Object]:
        """Return the objects whose `due_at` has come, first due first; those whose `state` says that they no longer wait are left out."""
        kind = self._scoped(kind)
        waiting = self._due.get(kind, [])
        return [self._kinds[kind][object_id] for _, _, object_id in waiting[: bisect_left(waiting, (until, self._next, ""))]]

    def earliest(self, kind: str) -> Object | None:
        """Return what is due first, or None."""
        kind = self._scoped(kind)
        waiting = self._due.get(kind)
        return self._kinds[kind][waiting[0][2]] if waiting else None

    def count(self, name: str) -> int:
        """Return the next number of a counter, from 1."""
        number = int((self.find("counter", name) or {"value": 0})["value"]) + 1
        self.replace("counter", {"id": name, "value": number})
        return number

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()

    def _scoped(self, kind: str) -> str:
        return kind if self.account is None or kind in SHARED else f"{self.account}/{kind}"

    def _found_by_index(self, kind: str, fields: dict[str, object]) -> list[Object]:
        kind = self._scoped(kind)
        for name in INDEXED:
            wanted = fields.get(name)
            if isinstance(wanted, str):
                ids = sorted(self._places.get((kind, name, wanted), ()), key=lambda object_id: self._order[kind, object_id])
                return [self._kinds[kind][object_id] for object_id in ids]
        return list(self._kinds.get(kind, {}).values())

    def _put(self, kind: str, object_id: str, value: Object | None) -> None:
        assert self._undo is not None, "a write outside a transaction"
        kind = self._scoped(kind)
        objects = self._kinds.setdefault(kind, {})
        self._undo.append((kind, object_id, objects.get(object_id)))
        if value is not None and object_id not in objects:
            self._order[kind, object_id] = self._next
            self._next += 1
        self._set(kind, object_id, value)

    def _set(self, kind: str, object_id: str, value: Object | None) -> None:
        objects = self._kinds.setdefault(kind, {})
        before = objects.get(object_id)
        if value is None:
            objects.pop(object_id, None)
        else:
            objects[object_id] = value
        old, new = before or {}, value or {}
        for name in INDEXED:
            if (was := old.get(name)) != (now := new.get(name)):
                if isinstance(was, str):
                    self._places[kind, name, was].discard(object_id)
                if isinstance(now, str):
                    self._places.setdefault((kind, name, now), set()).add(object_id)
        if "due_at" in old:
            self._take_off(kind, object_id, old["due_at"])
        if value is not None and "due_at" in value and value.get("state", "waiting") == "waiting":
            insort(self._due.setdefault(kind, []), (value["due_at"], self._order[kind, object_id], object_id))

    def _take_off(self, kind: str, object_id: str, due_at: float) -> None:
        waiting = self._due.get(kind, [])
        place = bisect_left(waiting, (due_at, self._order[kind, object_id], object_id))
        if place < len(waiting) and waiting[place][2] == object_id:
            del waiting[place]

    def _save(self) -> None:
        if self._file is None or not self._undo:
            return
        with self._file:
            for kind, object_id in dict.fromkeys((kind, object_id) for kind, object_id, _ in self._undo):
                value = self._kinds[kind].get(object_id)
                if value is None:
                    self._file.execute("DELETE FROM records WHERE kind = ? AND id = ?", (kind, object_id))
                else:
                    self._file.execute(WRITE, (kind, object_id, self._order[kind, object_id], json.dumps(value)))

    def _roll_back(self) -> None:
        for kind, object_id, before in reversed(self._undo or []):
            self._set(kind, object_id, before)


def _open(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, check_same_thread=False)
    # A killed process loses nothing that was committed in write-ahead mode; only the machine's own crash could lose the last moments.
    file.execute("PRAGMA journal_mode=WAL")
    file.execute("PRAGMA synchronous=NORMAL")
    file.execute(TABLE)
    file.commit()
    return file
