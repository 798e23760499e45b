from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from roomtone_tenancy.cache import LookupCache


class Timer:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def timer():
    return Timer()


@pytest.fixture
def cache(timer):
    return LookupCache(ttl_s=2.0, entries_max=3, timer=timer)


class Loads:
    """Counts; the answer is how often it was asked."""

    def __init__(self, *answers):
        self.answers, self.count = answers, 0

    def __call__(self):
        self.count += 1
        return self.answers[min(self.count, len(self.answers)) - 1]


@pytest.mark.parametrize("answer", ["tenant", None])
def test_an_answer_is_kept_until_its_time_is_over_also_that_there_is_none(cache, timer, answer):
    load = Loads(answer)

    cache.get("a", load)
    timer.now = 1.9
    cache.get("a", load)
    before = load.count
    timer.now = 2.1
    cache.get("a", load)

    assert (before, load.count) == (1, 2)


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
    started, release, count = threading.Event(), threading.Event(), []

    def load():
        count.append(1)
        started.set()
        release.wait(5)
        return "tenant"

    with ThreadPoolExecutor(16) as threads:
        answers = [threads.submit(cache.get, "a", load) for _ in range(16)]
        started.wait(5)
        release.set()

    assert {answer.result() for answer in answers} == {"tenant"}
    assert len(count) == 1


def test_what_was_read_before_a_change_is_not_remembered_after_it(cache):
    def load_while_it_changes():
        cache.clear()
        return "old"

    cache.get("a", load_while_it_changes)

    assert cache.get("a", Loads("new")) == "new"


def test_a_load_that_fails_is_not_remembered_and_wedges_nothing(cache):
    def fail():
        raise OSError("catalog away")

    with pytest.raises(OSError, match="away"):
        cache.get("a", fail)

    assert cache.get("a", Loads("there")) == "there"


def test_an_answer_that_is_about_to_change_is_not_remembered():
    cache = LookupCache(ttl_s=2.0, entries_max=3, is_kept=lambda value: value != "soon")
    answers = iter(["soon", "now", "later"])

    seen = [cache.get("a", lambda: next(answers)) for _ in range(3)]

    assert seen == ["soon", "now", "now"]
