"""A bounded cache for catalog look-ups: one load at a time for each key, absent answers too, old answers when the catalog is away."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from .errors import CatalogUnavailable

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

LOAD_WAIT_S = 5.0
STUCK_S = 30.0
"""A load that has not ended by then no longer keeps others from loading its key."""
RETRY_S = 1.0
"""After a load failed, expired answers are given for so long without asking again."""
JITTER = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheStats:
    """What a cache did since it was made.

    Args:
        hits: answers given without a load, stale ones not counted.
        misses: answers that needed a load, one's own or another thread's.
        loads: times that the catalog was asked.
        stale: expired answers given since it could not be asked.
        failures: loads that failed or did not end in time.
        invalidations: times that answers were dropped since something changed.
        entries: answers kept now.
    """

    hits: int = 0
    misses: int = 0
    loads: int = 0
    stale: int = 0
    failures: int = 0
    invalidations: int = 0
    entries: int = 0

    def __add__(self, other: CacheStats) -> CacheStats:
        return CacheStats(**{name: getattr(self, name) + getattr(other, name) for name in self.__slots__})


@dataclass(slots=True)
class _Answer(Generic[V]):
    value: V | None
    tag: Hashable
    fresh_until: float
    stale_until: float


@dataclass(slots=True)
class _Load(Generic[V]):
    """One load under way; what changes meanwhile is noted on it."""

    began_at: float
    ended: threading.Event = field(default_factory=threading.Event)
    value: V | None = None
    error: Exception | None = None
    is_outdated: bool = False
    changed: set[Hashable] = field(default_factory=set)


class LookupCache(Generic[K, V]):
    """Remembers answers of loads, None (nothing there) included.

    Args:
        ttl_s: how long an answer is believed, seconds, give or take `JITTER` so that answers read together do not expire together.
            Asked at each load: it may differ with what else brings news of changes.
        stale_s: how old an answer may be that is given when a load fails, seconds. Only of what exists: "there is none" may be untrue
            by now and turns a customer away, so it is never given beyond its own time.
        entries_max: answers kept; the longest unused goes first.
        tag: what an answer is about, for `drop_tagged`.
        is_kept: whether an answer is worth remembering, when some are about to change.
        load_wait_s: how long one waits for a load of another thread, seconds. A load has to be bounded itself.
        timer: seconds that only grow.
        chance: from 0 to 1, for the jitter.
    """

    def __init__(
        self,
        *,
        ttl_s: Callable[[], float],
        stale_s: float,
        entries_max: int,
        tag: Callable[[V], Hashable],
        is_kept: Callable[[V | None], bool] = lambda _: True,
        load_wait_s: float = LOAD_WAIT_S,
        timer: Callable[[], float] = time.monotonic,
        chance: Callable[[], float],
    ) -> None:
        self._ttl_s, self._stale_s, self._entries_max, self._load_wait_s = ttl_s, stale_s, entries_max, load_wait_s
        self._tag, self._is_kept, self._timer, self._chance = tag, is_kept, timer, chance
        self._answers: OrderedDict[K, _Answer[V]] = OrderedDict()
        self._by_tag: dict[Hashable, set[K]] = {}
        self._hits = self._misses = self._loads = self._stale = self._failures = self._invalidations = 0
        self._start_over()
        _call_after_fork(weakref.WeakMethod(self._start_over))

    def _start_over(self) -> None:
        """Loads of a parent process never end in its child, and what it is told of changes is not told here."""
        self._lock = threading.Lock()
        self._loading: dict[K, _Load[V]] = {}
        self._retry_at = 0.0
        for answer in self._answers.values():
            answer.fresh_until = 0.0

    # ── Answers ──────────────────────────────────────────────────────────

    def get(self, key: K, load: Callable[[], V | None]) -> V | None:
        """The answer for the key; of many threads that miss together one loads and the others wait for it.

        Raises:
            CatalogUnavailable: the load failed or took too long, and no answer is known that is young enough.
        """
        with self._lock:
            answer = self._answers.get(key)
            if answer is not None and answer.fresh_until > self._timer():
                self._answers.move_to_end(key)
                self._hits += 1
                return answer.value
            self._misses += 1
        return self._miss(key, load)

    def offer(self, key: K, value: V, *, read_after: int) -> None:
        """Remember an answer that was read for another question, unless something may have changed since the reading began.

        Args:
            read_after: `stats().invalidations` before that.
        """
        with self._lock:
            if self._invalidations == read_after:
                self._put(key, value, self._tag(value))

    def stats(self) -> CacheStats:
        """The counters now."""
        with self._lock:
            return CacheStats(
                hits=self._hits,
                misses=self._misses,
                loads=self._loads,
                stale=self._stale,
                failures=self._failures,
                invalidations=self._invalidations,
                entries=len(self._answers),
            )

    def __len__(self) -> int:
        return len(self._answers)

    def _miss(self, key: K, load: Callable[[], V | None]) -> V | None:
        deadline = time.monotonic() + self._load_wait_s
        while True:
            with self._lock:
                answer, now = self._answers.get(key), self._timer()
                is_bridged = answer is not None and now < self._retry_at and answer.stale_until > now
                if answer is not None and (answer.fresh_until > now or is_bridged):
                    self._stale += answer.fresh_until <= now
                    return answer.value
                theirs = self._loading.get(key)
                if theirs is None or theirs.began_at + STUCK_S <= now:
                    mine = self._loading[key] = _Load(began_at=now)
                    self._loads += 1
                    break
            if not theirs.ended.wait(deadline - time.monotonic()):
                return self._fall_back(key, TimeoutError(f"another thread has been loading it for {self._load_wait_s} s"))
            if theirs.error is not None:
                return self._fall_back(key, theirs.error)
            if not theirs.is_outdated:
                return theirs.value
            # It changed while they read: we may have come after the change, and must not get what was before.
        return self._load(key, mine, load)

    def _load(self, key: K, mine: _Load[V], load: Callable[[], V | None]) -> V | None:
        try:
            mine.value = load()
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is chained or an older answer bridges it
            mine.error = error
            return self._fall_back(key, error, has_failed=True)
        except BaseException:
            mine.is_outdated = True  # we are being stopped: those who wait load for themselves
            raise
        finally:
            with self._lock:
                if self._loading.get(key) is mine:
                    del self._loading[key]
                self._keep(key, mine)
            mine.ended.set()
        return mine.value

    def _keep(self, key: K, load: _Load[V]) -> None:
        tag = None if load.value is None else self._tag(load.value)
        load.is_outdated = load.is_outdated or tag in load.changed
        if load.error is not None:
            return
        self._retry_at = 0.0
        if not load.is_outdated:
            self._put(key, load.value, tag)

    def _put(self, key: K, value: V | None, tag: Hashable) -> None:
        if not self._is_kept(value):
            return
        self._remove(key)
        now, ttl_s = self._timer(), self._ttl_s() * (1 - JITTER + 2 * JITTER * self._chance())
        stale_until = now if value is None else now + self._stale_s
        self._answers[key] = _Answer(value, tag, now + ttl_s, stale_until)
        if tag is not None:
            self._by_tag.setdefault(tag, set()).add(key)
        while len(self._answers) > self._entries_max:
            self._remove(next(iter(self._answers)))

    def _fall_back(self, key: K, error: Exception, *, has_failed: bool = False) -> V | None:
        """The answer that was, if it is young enough."""
        with self._lock:
            now = self._timer()
            if has_failed:
                self._failures += 1
                self._retry_at = now + RETRY_S * (1 - JITTER + 2 * JITTER * self._chance())
            answer = self._answers.get(key)
            if answer is not None and answer.stale_until > now:
                self._stale += 1
                return answer.value
        raise CatalogUnavailable(str(key)) from error

    # ── Changes ──────────────────────────────────────────────────────────

    def drop(self, *keys: K) -> None:
        """Forget these answers; no load that is under way brings them back."""
        with self._lock:
            self._invalidations += 1
            for key in keys:
                self._remove(key)
                if key in self._loading:
                    self._loading[key].is_outdated = True

    def drop_tagged(self, tag: Hashable) -> None:
        """Forget every answer that is about this; otherwise as `drop`."""
        with self._lock:
            self._invalidations += 1
            for key in list(self._by_tag.get(tag, ())):
                self._remove(key)
            for load in self._loading.values():
                load.changed.add(tag)

    def clear(self) -> None:
        """Forget every answer; otherwise as `drop`."""
        self._doubt()
        with self._lock:
            self._answers.clear()
            self._by_tag.clear()

    def expire(self) -> None:
        """Load every answer again before it is believed: something may have changed. If that cannot be, it is a stale answer."""
        self._doubt()
        with self._lock:
            for answer in self._answers.values():
                answer.fresh_until = 0.0

    def _doubt(self) -> None:
        with self._lock:
            self._invalidations += 1
            for load in self._loading.values():
                load.is_outdated = True

    def _remove(self, key: K) -> None:
        answer = self._answers.pop(key, None)
        if answer is None or answer.tag is None:
            return
        keys = self._by_tag[answer.tag]
        keys.discard(key)
        if not keys:
            del self._by_tag[answer.tag]


def _call_after_fork(method: weakref.WeakMethod[Callable[[], None]]) -> None:
    """Call it in each child process, as long as its object lives: to ask for the process's number costs as much as a hit."""

    def call() -> None:
        if (alive := method()) is not None:
            alive()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=call)
