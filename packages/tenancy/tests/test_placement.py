from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomtone_tenancy import Candidate, ServerState, Wish
from roomtone_tenancy.placement import choose, least_full


def candidate(name="a", state=ServerState.ACCEPTING, capacity=10, regions=(), tenants=0):
    return Candidate(name=name, state=state, capacity=capacity, regions=regions, tenants=tenants)


CANDIDATES = st.builds(
    candidate,
    name=st.text("abcdef", min_size=1, max_size=3),
    state=st.sampled_from(ServerState),
    capacity=st.integers(0, 5),
    regions=st.sets(st.sampled_from(["eu", "us"])).map(tuple),
    tenants=st.integers(0, 6),
)
WISHES = st.builds(Wish, key=st.just("acme"), region=st.sampled_from([None, "eu", "us", "moon"]))


@given(st.lists(CANDIDATES, unique_by=lambda each: each.name, max_size=6), WISHES)
def test_the_chosen_server_accepts_has_room_is_where_it_should_and_none_such_is_emptier(candidates, wish):
    name, refusals = choose(candidates, wish, least_full)

    able = [
        each
        for each in candidates
        if each.state is ServerState.ACCEPTING and each.tenants < each.capacity and (wish.region is None or wish.region in each.regions)
    ]
    if name is None:
        assert not able
        assert sum(refusals.values()) == len(candidates)
    else:
        (chosen,) = (each for each in able if each.name == name)
        assert chosen.share == min(each.share for each in able)


def test_of_two_equally_full_the_roomier_is_taken():
    name, _ = choose([candidate("small", capacity=10, tenants=5), candidate("large", capacity=100, tenants=50)], Wish(key="a"), least_full)

    assert name == "large"


def test_refusals_are_counted_by_reason():
    candidates = [
        candidate("a", tenants=10, regions=("eu",)),
        candidate("b", state=ServerState.DRAINING),
        candidate("c", state=ServerState.DISABLED),
        candidate("d", regions=("us",)),
        candidate("e", regions=("us",)),
    ]

    name, refusals = choose(candidates, Wish(key="a", region="eu"), least_full)

    assert name is None
    assert refusals == {"full": 1, "draining": 1, "disabled": 1, "in other regions": 2}


def test_a_policy_of_the_hosts_sees_only_servers_that_can_take_the_tenant():
    seen = []

    def last(candidates, wish):
        seen.extend(each.name for each in candidates)
        return candidates[-1].name

    name, _ = choose([candidate("full", tenants=10), candidate("a"), candidate("b")], Wish(key="a"), last)

    assert (name, seen) == ("b", ["a", "b"])


def test_a_policy_may_refuse_them_all_and_may_not_choose_another():
    name, refusals = choose([candidate("a")], Wish(key="a"), lambda *_: None)

    assert (name, refusals) == (None, {"not chosen by the placement": 1})
    with pytest.raises(ValueError, match="full"):
        choose([candidate("a"), candidate("full", tenants=10)], Wish(key="a"), lambda *_: "full")
