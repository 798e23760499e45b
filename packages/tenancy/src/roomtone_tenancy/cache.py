"""A bounded cache for catalog look-ups: time to live, absent answers too, one load at a time for each key."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

LOAD_WAIT_S = 5.0


class LookupCache(Generic[K, V]):
    """Remembers answers of `load`, None (nothing there) included.

    Args:
        ttl_s: how long an answer is believed, seconds; how late this process may learn of another's change.
        entries_max: answers kept; the longest unused goes first.
        is_kept: whether an answer is worth remembering, when some are about to change.
        timer: seconds that only grow.
    """

    def __init__(
        self,
        *,
        ttl_s: float,
        entries_max: int,
        is_kept: Callable[[V | None], bool] = lambda _: True,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ttl_s, self._entries_max, self._is_kept, self._timer = ttl_s, entries_max, is_kept, timer
        self._answers: OrderedDict[K, tuple[V | None, float]] = OrderedDict()
        self._loading: dict[K, threading.Event] = {}
        self._changes = 0
        self._lock = threading.Lock()

    def get(self, key: K, load: Callable[[], V | None]) -> V | None:
        """The answer for the key; of many threads that miss together one loads and the others wait, `LOAD_WAIT_S` at most."""
        while True:
            with self._lock:
                known = self._answers.get(key)
                if known is not None and known[1] > self._timer():
                    self._answers.move_to_end(key)
                    return known[0]
                loading = self._loading.get(key)
                if loading is None:
                    mine = self._loading[key] = threading.Event()
                    changes = self._changes
                    break
            if not loading.wait(LOAD_WAIT_S):
                return load()
        try:
            value = load()
            self._keep(key, value, changes)
        finally:
            with self._lock:
                self._loading.pop(key, None)
            mine.set()
        return value

    def _keep(self, key: K, value: V | None, changes: int) -> None:
        with self._lock:
            if changes != self._changes or not self._is_kept(value):
                return  # something changed while we read: the answer may be older than the change
            self._answers[key] = (value, self._timer() + self._ttl_s)
            self._answers.move_to_end(key)
            while len(self._answers) > self._entries_max:
                self._answers.popitem(last=False)

    def clear(self) -> None:
        """Forget every answer, and let no load that is under way be remembered."""
        with self._lock:
            self._changes += 1
            self._answers.clear()

    def __len__(self) -> int:
        return len(self._answers)
