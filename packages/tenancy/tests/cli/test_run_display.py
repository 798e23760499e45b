from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from sqlalchemy import text

from roomtone_tenancy.cli.run_display import live, pace
from roomtone_tenancy.fleet.rollout import ItemState, Rollout, RunState
from roomtone_tenancy.fleet.status import RunStatus

PLANTED = """
    import sqlalchemy as sa
    from alembic import op

    revision, down_revision, branch_labels, depends_on = "r2", "r1", None, None

    def upgrade():
        op.add_column("artist", sa.Column("label", sa.String(20)))
        op.execute("INSERT INTO song (id, title) SELECT 1, NULL FROM artist WHERE name = 'breaks'")
"""
NEW_LINE = re.compile(r"\r|\x1b\[[0-9]*K")
OTHER_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    """One of so many columns that keeps what was written."""

    def __init__(self, columns):
        self.written = io.StringIO()
        self.console = Console(file=self.written, force_terminal=True, width=columns)

    @property
    def lines(self):
        plain = OTHER_CONTROLS.sub("", NEW_LINE.sub("\n", self.written.getvalue()))
        return [line.rstrip() for line in plain.split("\n") if line.strip()]


@pytest.fixture
def fleet(sqlite_site):
    tenancy = sqlite_site.tenancy()
    for key in ("a", "b", "c"):
        sqlite_site.make(tenancy, key)
    with tenancy.use("b"), tenancy.session() as session:
        session.execute(text("INSERT INTO artist (name) VALUES ('breaks')"))
        session.commit()
    sqlite_site.add_revision("r2", PLANTED)
    return sqlite_site


@pytest.mark.parametrize("columns", [80, 200])
def test_the_last_picture_has_the_count_the_pace_and_each_failure_and_fits(fleet, columns):
    terminal, tenancy = Terminal(columns), fleet.tenancy()

    with live(tenancy.fleet, terminal.console):
        tenancy.fleet.run(Rollout(parallel=1))

    *_, last = terminal.lines
    assert last.startswith("to r2 ")
    assert re.search(r"3/3 [0-9.]+/s\s+1 failed$", last)
    assert sum(line.startswith("b: IntegrityError: NOT NULL") for line in terminal.lines) == 1
    assert max(len(line) for line in terminal.lines) <= columns


def test_what_another_process_does_is_shown_as_well(fleet):
    terminal, here, elsewhere = Terminal(80), fleet.tenancy(), fleet.tenancy()

    with live(here.fleet, terminal.console):
        elsewhere.fleet.run(Rollout(parallel=1))

    assert "3/3" in terminal.lines[-1]


def test_with_nothing_to_do_nothing_of_an_earlier_run_is_shown(fleet):
    tenancy, terminal = fleet.tenancy(), Terminal(80)
    tenancy.fleet.run(Rollout(parallel=1))

    with live(tenancy.fleet, terminal.console):
        pass

    assert not any("/3" in line or "failed" in line for line in terminal.lines)


@pytest.mark.parametrize(
    ("rate", "left_s", "shown"),
    [(None, None, ""), (8.25, 61.4, "8.2/s  1:01 left"), (412.0, 7322.0, "412/s  2:02:02 left"), (7.0, None, "7.0/s")],
)
def test_a_pace_is_short(rate, left_s, shown):
    status = RunStatus(
        id=1, target="r2", state=RunState.RUNNING, counts={ItemState.WAITING: 9999}, ways={}, rate=rate, remaining_s=left_s, unreplayed={}
    )

    assert pace(status) == shown
