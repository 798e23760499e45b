from __future__ import annotations

import itertools

import pytest
from sqlalchemy import exc, select, text, update
from sqlalchemy.orm import Session

from roomtone_tenancy import TenantState, errors
from roomtone_tenancy.lifecycle import MOVES, check_move
from roomtone_tenancy.models import TenantRow

PAIRS = list(itertools.product(TenantState, TenantState))
ALLOWED = [(before, after) for before, after in PAIRS if after in MOVES[before]]
REFUSED = [(before, after) for before, after in PAIRS if after not in MOVES[before] and before is not after]


def test_every_state_has_its_moves_and_only_deleted_is_an_end():
    assert set(MOVES) == set(TenantState)
    assert [state for state, moves in MOVES.items() if not moves] == [TenantState.DELETED]


@pytest.mark.parametrize("state", [state for state in TenantState if state not in (TenantState.DELETED, TenantState.DELETING)])
def test_deletion_can_begin_from_every_living_state(state):
    assert TenantState.DELETING in MOVES[state]


@pytest.mark.parametrize("state", TenantState)
def test_staying_where_one_is_is_no_move(state):
    with pytest.raises(errors.IllegalMove):
        check_move("acme", state, state)


@pytest.fixture
def catalog(sqlite_site):
    """One tenant, put into a state behind the library's back."""
    tenancy = sqlite_site.tenancy()
    sqlite_site.register(tenancy, "acme")

    def begin(state):
        with Session(sqlite_site.catalog) as session, session.begin():
            session.execute(update(TenantRow).values(state=state))
        return sqlite_site, tenancy._registry

    return begin


@pytest.mark.parametrize(("before", "after"), ALLOWED, ids=str)
def test_an_allowed_move_is_made_logged_and_raises_the_epoch(catalog, before, after):
    site, registry = catalog(before)

    moved = site.change(registry.move, "acme", after, reason="because", actor="somebody")

    last = registry.history(moved.id)[-1]
    assert (moved.state, moved.epoch) == (after, 2)
    assert (last.before, last.after, last.reason, last.actor) == (before, after, "because", "somebody")


@pytest.mark.parametrize(("before", "after"), REFUSED, ids=str)
def test_every_other_move_is_refused_and_changes_nothing(catalog, before, after):
    site, registry = catalog(before)

    with pytest.raises((errors.IllegalMove, errors.UnknownTenant)) as caught:
        site.change(registry.move, "acme", after, reason="because", actor="somebody")

    with Session(site.catalog) as session:
        row = session.scalars(select(TenantRow)).one()
    assert isinstance(caught.value, errors.UnknownTenant) == (before is TenantState.DELETED)
    assert (row.state, row.epoch, len(registry.history(row.id))) == (before, 1, 1)


VERBS = ["UPDATE tenancy_lifecycle SET reason = 'never'", "DELETE FROM tenancy_lifecycle", "TRUNCATE tenancy_lifecycle"]


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.split()[0].lower())
def test_the_log_only_grows(site, verb):
    if verb.startswith("TRUNCATE") and site.kind == "sqlite":
        pytest.skip("SQLite has no TRUNCATE")
    tenancy = site.tenancy()
    tenant = site.register(tenancy, "acme")

    with site.catalog.connect() as connection, pytest.raises(exc.DBAPIError, match="only grows"):
        connection.execute(text(verb))

    assert [entry.reason for entry in tenancy._registry.history(tenant.id)] == ["registered"]
