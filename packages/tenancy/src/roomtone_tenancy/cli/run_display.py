"""The live display of a run on a terminal: how far it is, how fast, how long it takes yet and what failed, whichever process did it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from sqlalchemy.exc import SQLAlchemyError

from ..fleet.rollout import RunState
from ..fleet.status import RunStatus
from ..migrate import Fleet

LOOK_EVERY_S = 0.5
_BAR_WIDTH_MAX = 60


@contextmanager
def live(fleet: Fleet, console: Console) -> Iterator[None]:
    """Show the run that goes on meanwhile, from what the catalog says of it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
        TextColumn("{task.fields[failed]}", style="red"),
    )
    with Progress(*columns, console=console, expand=console.width <= _BAR_WIDTH_MAX * 2) as progress:
        task = progress.add_task("templates and spares", total=None, pace="", failed="")
        shown = _Shown(fleet=fleet, progress=progress, task=task, before=fleet.latest())
        stop = threading.Event()
        looker = threading.Thread(target=shown.look_until, args=(stop,), name="display", daemon=True)
        looker.start()
        try:
            yield
        finally:
            stop.set()
            looker.join()
            shown.look()
            progress.update(task, visible=shown.is_begun)  # nothing is left on the screen when there was nothing to do


def pace(status: RunStatus) -> str:
    """The rate and the time left, as far as they are known."""
    rate = "" if status.rate is None else f"{status.rate:.1f}/s" if status.rate < 100 else f"{status.rate:.0f}/s"
    return rate if status.remaining_s is None else f"{rate}  {_clock(status.remaining_s)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@dataclass(kw_only=True)
class _Shown:
    fleet: Fleet
    progress: Progress
    task: TaskID
    before: RunStatus | None
    is_begun: bool = False
    told: set[str] = field(default_factory=set)

    def look_until(self, stop: threading.Event) -> None:
        while not stop.wait(LOOK_EVERY_S):
            self.look()

    def look(self) -> None:
        """Show what is new; a catalog that is away is asked again."""
        with suppress(SQLAlchemyError):
            status = self.fleet.latest()
            if status is not None and (status.state is RunState.RUNNING or self.before is None or status != self.before):
                self._show(status)

    def _show(self, status: RunStatus) -> None:
        self.is_begun = True
        for failure in status.failures:
            if failure.key not in self.told:
                self.told.add(failure.key)
                line = f"{failure.key}: {failure.error.partition(chr(10))[0]}"
                self.progress.console.print(line, markup=False, style="red", highlight=False)
        failed = f"{len(status.failures)} failed" if status.failures else ""
        done = status.total - status.left
        self.progress.update(
            self.task, description=f"to {status.target}", total=status.total, completed=done, pace=pace(status), failed=failed
        )
