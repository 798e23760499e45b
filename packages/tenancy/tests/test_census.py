from __future__ import annotations

import pytest
from sqlalchemy import event

from roomtone_tenancy import TenantState


def test_nobody_is_counted_where_nobody_is(site):
    found = site.tenancy().census()

    assert (found.tenants, found.unfinished, found.run) == ((), {}, None)
    assert [(it.server, it.ready) for it in found.spares] == [("main", 0)]


def test_tenants_are_counted_by_state_and_deleted_ones_are_not(site):
    tenancy = site.tenancy()
    for key in ("a", "b", "gone"):
        site.make(tenancy, key)
    tenancy.delete("gone")
    site.change(tenancy.read_only, "b", reason="test")
    site.register(tenancy, "wished")

    found = tenancy.census()

    counted = {it.state: it.tenants for it in found.tenants}
    assert counted == {TenantState.ACTIVE: 1, TenantState.READ_ONLY: 1, TenantState.REQUESTED: 1}
    assert sum(it.behind for it in found.tenants) == 0
    assert found.unfinished == {"provision": 1}


@pytest.mark.parametrize("number", [1, 4])
def test_a_census_takes_as_many_queries_whatever_it_counts(sqlite_site, number):
    tenancy = sqlite_site.tenancy()
    for each in range(number):
        sqlite_site.make(tenancy, f"t{each}")
    tenancy.census()
    asked = []
    event.listen(tenancy.domains.catalog, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))

    tenancy.census()

    assert len([statement for statement in asked if not statement.startswith("PRAGMA")]) <= 6
