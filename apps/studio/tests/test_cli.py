"""The operator's commands."""

from __future__ import annotations

import json
from contextlib import nullcontext

import pytest
from click.testing import CliRunner

from studio import cli


@pytest.fixture
def run(monkeypatch, services):
    """Runs a command on the parts of the tests."""
    monkeypatch.setattr(cli, "_services", lambda: nullcontext(services))

    def run(*arguments):
        result = CliRunner().invoke(cli.main, arguments)
        return result.exit_code, result.output

    return run


def test_every_verb_of_tenancy_is_at_hand(run, studio):
    code, output = run("tenancy", "list", "--json")

    assert code == 0
    assert studio.key in [tenant["key"] for tenant in json.loads(output)]
    assert "rotate-passwords" in run("tenancy", "--help")[1]


def test_a_refusal_is_one_line_and_a_failing_status(run):
    code, output = run("tenancy", "show", "nobody-at-all")

    assert (code, output.startswith("Error: There is no tenant")) == (1, True)
