from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomtone_tenancy import TenantState, errors
from roomtone_tenancy.lifecycle import MOVES, check_move

STATES = st.sampled_from(list(TenantState))


@given(STATES, STATES)
def test_a_move_passes_exactly_when_the_table_has_it(before, after):
    try:
        check_move("acme", before, after)
        allowed = True
    except errors.IllegalMove:
        allowed = False

    assert allowed == (after in MOVES[before])


def test_every_state_has_its_moves_and_only_deleted_is_an_end():
    assert set(MOVES) == set(TenantState)
    assert [state for state, moves in MOVES.items() if not moves] == [TenantState.DELETED]


@pytest.mark.parametrize("state", [state for state in TenantState if state not in (TenantState.DELETED, TenantState.DELETING)])
def test_deletion_can_begin_from_every_living_state(state):
    assert TenantState.DELETING in MOVES[state]
