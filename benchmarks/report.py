"""A benchmark's table: on the screen, and as one dated file per run."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Amount, Timing

RESULTS = Path(__file__).parent / "results"
HEADINGS = ("what", "ours", "peer or limit", "", "ratio", "bar", "met")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison.

    Attributes:
        peer: what it is compared with.
        bar: the ratio (ours by theirs) that it may have at the most.
    """

    what: str
    ours: Timing
    peer: str
    theirs: Timing
    bar: float

    @property
    def ratio(self) -> float:
        """Ours by theirs: below 1 ours is faster."""
        return self.ours.ratio_to(self.theirs)

    @property
    def is_met(self) -> bool:
        """Whether the bar is met."""
        return self.ratio <= self.bar

    def cells(self) -> tuple[str, ...]:
        """As the table shows it."""
        met = "yes" if self.is_met else "NO"
        return (self.what, str(self.ours), self.peer, str(self.theirs), f"{self.ratio:.2f}", f"≤ {self.bar:g}", met)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One promise in units of its own; what stands beside it is for comparison.

    Attributes:
        value: what the promise is about; None means the median of ours.
        bar: what `value` may be at the most, or, with `is_least`, at the least.
        unit: of `value` and `bar`.
    """

    what: str
    ours: Timing | Amount
    bar: float
    unit: str
    value: float | None = None
    peer: str = "–"
    theirs: Timing | Amount | None = None
    is_least: bool = False

    @property
    def reached(self) -> float:
        """What is held against the bar."""
        return self.ours.median if self.value is None else self.value

    @property
    def is_met(self) -> bool:
        """Whether the bar is met."""
        return self.reached >= self.bar if self.is_least else self.reached <= self.bar

    def cells(self) -> tuple[str, ...]:
        """As the table shows it."""
        bar = f"{'≥' if self.is_least else '≤'} {self.bar:g} {self.unit}".strip() + ("" if self.value is None else f", is {self.value:.3g}")
        ratio = "" if self.theirs is None or not self.theirs.median else f"{self.ours.median / self.theirs.median:.2g}"
        theirs = "" if self.theirs is None else str(self.theirs)
        return (self.what, str(self.ours), self.peer, theirs, ratio, bar, "yes" if self.is_met else "NO")


@dataclass(frozen=True, kw_only=True)
class Result:
    """A run of a benchmark.

    Attributes:
        notes: sentences that the numbers need, and where the time goes.
    """

    name: str
    is_quick: bool
    rows: Sequence[Row | Figure]
    notes: Sequence[str]
    at: datetime
    server: str

    @property
    def is_met(self) -> bool:
        """Whether every bar is met."""
        return all(row.is_met for row in self.rows)

    def show(self, console: Console) -> None:
        """Print it."""
        table = Table(title=f"{self.name}: median (half of the runs lie between)", title_justify="left", box=None, pad_edge=False)
        for heading in HEADINGS:
            table.add_column(heading, overflow="fold")
        for row in self.rows:
            table.add_row(*row.cells(), style=None if row.is_met else "bold red")
        console.print(table)
        for note in self.notes:
            console.print(f"• {note}", soft_wrap=True)

    def save(self) -> Path:
        """Write the file of this run; quick runs are marked as such, and are not for committing."""
        path = RESULTS / f"{self.at:%Y-%m-%dT%H%MZ}-{self.name}{'-quick' if self.is_quick else ''}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(self._markdown())
        return path

    def _markdown(self) -> str:
        lines = [
            f"# {self.name}, {self.at:%Y-%m-%d %H:%M} UTC",
            "",
            f"{_machine()}; {self.server}. {'Quick' if self.is_quick else 'Full'} run.",
            "Medians; half of the runs lie between the numbers in brackets.",
            "",
            "| " + " | ".join(HEADINGS) + " | runs |",
            "|---|---|---|---|---|---|---|---|",
            *("| " + " | ".join([*row.cells(), str(len(row.ours.each))]) + " |" for row in self.rows),
            "",
            *(f"- {note}" for note in self.notes),
        ]
        return "\n".join(lines) + "\n"


def now() -> datetime:
    """When a run is dated."""
    return datetime.now(UTC)


def _machine() -> str:
    try:
        load = f", load {os.getloadavg()[0]:.1f} at the end"
    except OSError:
        load = ""
    return f"{os.cpu_count()} processors ({platform.machine()}){load}; {platform.system()}, Python {platform.python_version()}"
