"""Runs the commands as a person does."""

from __future__ import annotations

import sys
import types

import pytest
from click.testing import CliRunner

from roomtone_tenancy.cli import main


@pytest.fixture
def run_on(monkeypatch):
    """For a site: runs a command against a fresh Tenancy on it, with these answers to questions; returns its exit code and lines."""

    def on(site, **options):
        module = types.ModuleType("host_of_cli_test")
        module.make = lambda: site.tenancy(**options)
        module.other = dict
        monkeypatch.setitem(sys.modules, module.__name__, module)

        def run(*arguments, factory="make", answers=None):
            result = CliRunner().invoke(main, ["--app", f"{module.__name__}:{factory}", *arguments], input=answers)
            return result.exit_code, result.output

        return run

    return on


@pytest.fixture
def run(run_on, sqlite_site):
    return run_on(sqlite_site)


@pytest.fixture
def tenancy(sqlite_site):
    tenancy = sqlite_site.tenancy()
    sqlite_site.make(tenancy, "a", domains=["a.test"])
    return tenancy
