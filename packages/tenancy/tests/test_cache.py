from __future__ import annotations

import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roomtone_tenancy import errors
from roomtone_tenancy.cache import JITTER, RETRY_S, STUCK_S, CacheStats, LookupCache


class Timer:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def timer():
    return Timer()


@pytest.fixture
def make(timer):
    def make(**options):
        standard = {"ttl_s": lambda: 2.0, "stale_s": 300.0, "entries_max": 3, "tag": str.upper, "timer": timer, "chance": lambda: 0.5}
        return LookupCache(**(standard | options))

    return make


@pytest.fixture
def cache(make):
    return make()


class Loads:
    """Counts; gives one answer after the other, the last for ever. Those that are errors are raised."""

    def __init__(self, *answers):
        self.answers, self.count = answers, 0

    def __call__(self):
        self.count += 1
        answer = self.answers[min(self.count, len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_an_offered_answer_is_kept_unless_something_changed_since_it_was_read(cache):
    before = cache.stats().invalidations
    cache.offer("kept", "one", read_after=before)
    cache.drop_tagged("ANOTHER")
    cache.offer("refused", "two", read_after=before)

    assert cache.get("kept", Loads("new")) == "one"
    assert cache.get("refused", Loads("new")) == "new"


class Held:
    """A load that ends when it is told to."""

    def __init__(self, answer):
        self.answer, self.begun, self.release, self.count = answer, threading.Event(), threading.Event(), 0

    def __call__(self):
        self.count += 1
        self.begun.set()
        assert self.release.wait(10)
        return self.answer


AWAY = OSError("catalog away")


@pytest.mark.parametrize("answer", ["tenant", None])
def test_an_answer_is_kept_until_its_time_is_over_also_that_there_is_none(cache, timer, answer):
    load = Loads(answer)

    cache.get("a", load)
    timer.now += 1.9
    cache.get("a", load)
    before = load.count
    timer.now += 0.2
    cache.get("a", load)

    assert (before, load.count) == (1, 2)


@pytest.mark.parametrize(("chance", "lives_s"), [(0.0, 2 * (1 - JITTER)), (1.0, 2 * (1 + JITTER))])
def test_answers_that_were_read_together_do_not_expire_together(make, timer, chance, lives_s):
    cache, load = make(chance=lambda: chance), Loads("a")
    cache.get("a", load)

    counts = []
    for moment in (lives_s - 0.01, lives_s + 0.01):
        timer.now = 100.0 + moment
        cache.get("a", load)
        counts.append(load.count)

    assert counts == [1, 2]


def test_the_longest_unused_answer_goes_first(cache):
    for key in "abc":
        cache.get(key, Loads(key))
    cache.get("a", Loads("a"))

    cache.get("d", Loads("d"))

    again = Loads("b")
    cache.get("a", Loads("never"))
    cache.get("b", again)
    assert again.count == 1
    assert len(cache) == 3


def test_many_threads_that_miss_together_load_once(cache):
    load = Held("tenant")

    with ThreadPoolExecutor(16) as threads:
        answers = [threads.submit(cache.get, "a", load) for _ in range(16)]
        load.begun.wait(10)
        load.release.set()

    assert {answer.result() for answer in answers} == {"tenant"}
    assert load.count == 1


def test_an_answer_that_is_about_to_change_is_not_remembered(make):
    cache, load = make(is_kept=lambda value: value != "soon"), Loads("soon", "now", "later")

    seen = [cache.get("a", load) for _ in range(3)]

    assert seen == ["soon", "now", "now"]


# ── Changes ──────────────────────────────────────────────────────────────

CHANGES = {
    "its key": lambda cache: cache.drop("a"),
    "what it is about": lambda cache: cache.drop_tagged("OLD"),
    "everything": lambda cache: cache.clear(),
    "nobody knows what": lambda cache: cache.expire(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_was_read_before_a_change_is_not_remembered_after_it(cache, change):
    def load_while_it_changes():
        change(cache)
        return "old"

    cache.get("a", load_while_it_changes)

    assert cache.get("a", Loads("new")) == "new"


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_one_who_asks_after_a_change_never_gets_what_another_thread_read_before_it(cache, change):
    old = Held("old")
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(cache.get, "a", old)
        old.begun.wait(10)
        change(cache)
        second = threads.submit(cache.get, "a", Loads("new"))
        old.release.set()

    assert (first.result(), second.result()) == ("old", "new")


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_has_the_answer_loaded_again(cache, change):
    cache.get("a", Loads("old"))

    change(cache)

    assert cache.get("a", Loads("new")) == "new"


def test_a_change_leaves_other_answers_alone(cache):
    for key in "abc":
        cache.get(key, Loads(key))

    cache.drop("a")
    cache.drop_tagged("B")

    kept = Loads("never")
    cache.get("c", kept)
    assert (kept.count, len(cache)) == (0, 1)


def test_a_change_of_another_tenant_during_a_load_does_not_waste_it(cache):
    def load_while_another_changes():
        cache.drop_tagged("OTHER")
        cache.drop("other")
        return "a"

    cache.get("a", load_while_another_changes)

    assert cache.get("a", Loads("never")) == "a"


def test_every_answer_about_one_thing_is_dropped_with_it(make):
    cache = make(entries_max=10)
    for host in ("a.test", "www.a.test", "b.test"):
        cache.get(host, Loads("b" if host == "b.test" else "a"))

    cache.drop_tagged("A")

    assert [cache.get(host, Loads("new")) for host in ("a.test", "www.a.test", "b.test")] == ["new", "new", "b"]


# ── A catalog that is away ───────────────────────────────────────────────


def test_an_expired_answer_bridges_a_failing_load_for_as_long_as_it_may(cache, timer):
    cache.get("a", Loads("tenant"))

    timer.now += 299
    bridged = cache.get("a", Loads(AWAY))
    timer.now += 2

    assert bridged == "tenant"
    with pytest.raises(errors.CatalogUnavailable) as caught:
        cache.get("a", Loads(AWAY))
    assert caught.value.__cause__ is AWAY
    assert caught.value.what == "a"
    assert (cache.stats().stale, cache.stats().failures) == (1, 2)


def test_that_there_is_none_is_never_said_beyond_its_time(cache, timer):
    cache.get("a", Loads(None))

    timer.now += 2.3

    with pytest.raises(errors.CatalogUnavailable):
        cache.get("a", Loads(AWAY))


@pytest.mark.parametrize("change", [CHANGES[name] for name in ("its key", "what it is about", "everything")])
def test_an_answer_that_is_known_to_be_wrong_is_never_given_again(cache, change):
    cache.get("a", Loads("old"))

    change(cache)

    with pytest.raises(errors.CatalogUnavailable):
        cache.get("a", Loads(AWAY))


def test_an_answer_that_may_be_wrong_is_better_than_none(cache):
    cache.get("a", Loads("old"))

    cache.expire()

    assert cache.get("a", Loads(AWAY)) == "old"


def test_a_load_that_fails_is_not_remembered_and_wedges_nothing(cache):
    with pytest.raises(errors.CatalogUnavailable):
        cache.get("a", Loads(AWAY))

    assert cache.get("a", Loads("there")) == "there"


def test_after_a_failure_those_who_can_be_served_stale_do_not_wait_for_the_next_one(make, timer):
    cache, load = make(ttl_s=lambda: 0.0), Loads("tenant", AWAY, "new")
    cache.get("a", load)

    seen = [cache.get("a", load) for _ in range(3)]
    timer.now += RETRY_S + 0.1
    seen.append(cache.get("a", load))

    assert seen == ["tenant", "tenant", "tenant", "new"]
    assert load.count == 3


def test_waiters_share_a_failure_instead_of_trying_one_after_the_other(cache):
    count, begun, release = [], threading.Event(), threading.Event()

    def fail():
        count.append(1)
        begun.set()
        release.wait(10)
        raise AWAY

    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(cache.get, "a", fail)
        begun.wait(10)
        answers = [first]
        waiting = threading.Barrier(8)
        answers += [threads.submit(lambda: (waiting.wait(10), cache.get("a", fail))) for _ in range(7)]
        waiting.wait(10)
        while cache.stats().misses < 8:
            pass
        release.set()

    assert all(isinstance(answer.exception(), errors.CatalogUnavailable) for answer in answers)
    assert len(count) == 1


def test_a_wait_for_a_stuck_load_is_bounded_and_starts_no_second_one(make, timer):
    cache, stuck, second = make(load_wait_s=0.01), Held("late"), Loads("second")
    cache.get("b", Loads("before"))
    timer.now += 3

    with ThreadPoolExecutor(2) as threads:
        for key in "ab":
            threads.submit(cache.get, key, stuck)
        while stuck.count < 2:
            pass
        with pytest.raises(errors.CatalogUnavailable) as caught:
            cache.get("a", second)
        stale = cache.get("b", second)
        stuck.release.set()

    assert isinstance(caught.value.__cause__, TimeoutError)
    assert (stale, second.count) == ("before", 0)


def test_a_load_that_never_ends_wedges_its_key_for_a_while_only(make, timer):
    cache, stuck = make(load_wait_s=0.01), Held("late")
    with ThreadPoolExecutor(1) as threads:
        threads.submit(cache.get, "a", stuck)
        stuck.begun.wait(10)

        timer.now += STUCK_S
        answer = cache.get("a", Loads("new"))
        stuck.release.set()

    assert answer == "new"


def test_a_load_that_is_stopped_leaves_no_answer(cache):
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.get("a", stop)

    assert cache.get("a", Loads("tenant")) == "tenant"


# ── Figures, forks, and the whole of it ──────────────────────────────────


def test_its_figures_say_what_it_did(cache, timer):
    for key in ("a", "a", "b"):
        cache.get(key, Loads(key))
    cache.drop("b")
    timer.now += 2.3
    cache.get("a", Loads(AWAY))

    assert cache.stats() == CacheStats(hits=1, misses=3, loads=3, stale=1, failures=1, invalidations=1, entries=1)
    assert (cache.stats() + cache.stats()).loads == 6


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_process_waits_for_no_load_of_its_parent_and_believes_none_of_its_answers(cache):
    cache.get("b", Loads("parent's"))
    stuck = Held("parent's")
    with ThreadPoolExecutor(1) as threads:
        threads.submit(cache.get, "a", stuck)
        stuck.begun.wait(10)
        child = os.fork()
        if child == 0:
            seen = (cache.get("a", Loads("child's")), cache.get("b", Loads("child's")))
            os._exit(0 if seen == ("child's", "child's") else 1)
        stuck.release.set()

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@dataclass
class World:
    """A catalog of three names, and what a reader of it may see."""

    timer: Timer
    cache: LookupCache
    truth: dict
    is_away: bool = False

    def load(self, key):
        if self.is_away:
            raise AWAY
        return self.truth.get(key)


ACTIONS = st.one_of(
    st.tuples(st.just("read"), st.sampled_from("abc")),
    st.tuples(st.just("write"), st.sampled_from("abc"), st.sampled_from(["x", "y", None])),
    st.tuples(st.just("away"), st.booleans()),
    st.tuples(st.just("pass"), st.floats(0, 400)),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(ACTIONS, max_size=60), st.integers())
def test_with_every_change_told_no_reader_ever_sees_anything_but_the_truth(actions, seed):
    timer = Timer()
    cache = LookupCache(ttl_s=lambda: 60.0, stale_s=300.0, entries_max=2, tag=str, timer=timer, chance=random.Random(seed).random)
    world = World(timer, cache, {})
    for verb, *what in actions:
        match verb:
            case "write":
                old = world.truth.get(what[0])
                world.truth[what[0]] = what[1]
                world.cache.drop(what[0])
                world.cache.drop_tagged(old)
            case "away":
                (world.is_away,) = what
            case "pass":
                timer.now += what[0]
            case "read":
                try:
                    seen = cache.get(what[0], lambda key=what[0]: world.load(key))
                except errors.CatalogUnavailable:
                    assert world.is_away
                else:
                    assert seen == world.truth.get(what[0])
        assert len(cache) <= 2
