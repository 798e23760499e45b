"""Every story ends where the oracle says, in whatever order its events are told."""

from __future__ import annotations

import itertools

import pytest

NAMES = 25


def tell(teller, recording, order, pauses: int) -> None:
    """Deliver one webhook a step in that order; the bits of `pauses` say after which of them the worker comes to rest."""
    reached = 0
    for place, at in enumerate(order):
        reached = max(reached, at)
        teller.stand_at(recording, reached)
        teller.hear(recording.steps[at].payloads[-1])
        if pauses >> place & 1:
            teller.drain()


def orders(recording):
    return itertools.permutations(range(len(recording.steps)))


def told_wrongly(teller, recording, many) -> list[str]:
    """The orders among `many` after which the account is not where the oracle says."""
    copies = [(recording.copy(f"x{at}"), at, order) for at, order in many]
    teller.open([copy for copy, _, _ in copies])
    for copy, at, order in copies:
        tell(teller, copy, order, pauses=at * 37 % 64)
    teller.now = recording.steps[-1].at
    teller.drain()
    return [f"{order}: {teller.end_of(copy)}" for copy, _, order in copies if teller.end_of(copy) != recording.end]


def test_there_are_stories_enough_and_none_is_longer_than_it_may_be(recordings):
    assert len(recordings) >= NAMES
    assert {len(one.steps) for one in recordings.values()} <= set(range(1, 7))
    assert {one.end.phase for one in recordings.values()} == {"trialing", "active", "grace", "read_only", "suspended"}


def test_every_story_told_forwards_and_backwards_ends_as_the_oracle_says(recordings, engine, make_teller):
    teller = make_teller(engine)
    wrong = {}
    for name, recording in recordings.items():
        forwards = tuple(range(len(recording.steps)))
        wrong[name] = told_wrongly(teller, recording, [(63, forwards), (62, forwards[::-1])])

    assert {name: found for name, found in wrong.items() if found} == {}
    assert teller.is_told_once()


@pytest.mark.machine
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("half", [0, 1])
def test_every_permutation_of_every_story_ends_as_the_oracle_says(recordings, teller, half):
    wrong, count = {}, 0
    for name, recording in recordings.items():
        mine = [(at, order) for at, order in enumerate(orders(recording)) if at % 2 == half]
        count += len(mine)
        wrong[name] = told_wrongly(teller, recording, mine)

    assert {name: found[:3] for name, found in wrong.items() if found} == {}
    assert teller.is_told_once()
    assert count == sum(len(list(orders(one))) // 2 + (half == 0) * (len(one.steps) == 1) for one in recordings.values())
