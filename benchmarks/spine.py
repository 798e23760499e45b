"""The spine: from sign-up to a usable studio, the Today page, a metered turn of the assistant, and the way to a studio's database."""

from __future__ import annotations

from benchmarks import opening, page, route, turn
from benchmarks.place import place
from benchmarks.report import Result, Row, now

FULL = {"opening": 15, "page": 150, "turn": 60, "ledger": 200, "route": 1500}
QUICK = {"opening": 3, "page": 25, "turn": 8, "ledger": 25, "route": 200}
NOTES = (
    "One process, one thread, on an embedded PostgreSQL that syncs every commit to disk. Ours and theirs are timed in turns; "
    "the ratio is the median of the rounds' ratios.",
    "Bars are set a little above what was measured, so that they fail when something gets slower, not when the machine is busy.",
)


def run(is_quick: bool) -> Result:
    """Measure all four."""
    runs = QUICK if is_quick else FULL
    rows: list[Row] = []
    notes = list(NOTES)
    with place() as here:
        with here.services.database.engine.connect() as connection:
            server = f"PostgreSQL {connection.exec_driver_sql('SHOW server_version').scalar()}, fsync on"
        for part, counts in (
            (opening.measure, (runs["opening"],)),
            (page.measure, (runs["page"],)),
            (turn.measure, (runs["turn"], runs["ledger"])),
            (route.measure, (runs["route"],)),
        ):
            found, said = part(here, *counts)
            rows += found
            notes += said
    return Result(name="spine", is_quick=is_quick, rows=rows, notes=notes, at=now(), server=server)
