"""A command line for one tenant."""

from __future__ import annotations

import pytest


@pytest.fixture
def run(run_on, sqlite_site):
    return run_on(sqlite_site)


@pytest.fixture
def tenancy(sqlite_site):
    tenancy = sqlite_site.tenancy()
    sqlite_site.make(tenancy, "a", domains=["a.test"])
    return tenancy
