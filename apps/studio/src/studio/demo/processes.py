"""The demo's child processes: started with a log each, watched, restarted a few times, and all stopped at the end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from studio.errors import SetupError

STOP_WITHIN_S = 12.0
RESTARTS_MAX = 5
RESTARTS_WINDOW_S = 60.0
POLL_S = 0.1


@dataclass(kw_only=True)
class Child:
    """One process and how to start it again."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started: list[float] = field(default_factory=list)

    def start(self) -> None:
        """Start it, its output appended to its log, in a session of its own so that Ctrl-C reaches only us."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(  # our own commands
                list(self.command),
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started.append(time.monotonic())

    def log_tail(self, lines: int = 12) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""


class Processes:
    """All children of one demo. `record` remembers them on disk, so that a demo that was killed can be cleaned up by the next."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: list[Child] = []

    @property
    def _record(self) -> Path:
        return self._folder / "processes.json"

    @property
    def children(self) -> tuple[Child, ...]:
        """The children, in the order they were started."""
        return tuple(self._children)

    def stop_leftovers(self) -> int:
        """Stop children of an earlier demo on this folder whose parent is gone; returns how many there were."""
        try:
            remembered: list[dict[str, float]] = json.loads(self._record.read_text())
        except (FileNotFoundError, ValueError):
            return 0
        found = [process for entry in remembered if (process := _same_process(int(entry["pid"]), entry["created"]))]
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _gone, alive = psutil.wait_procs(found, timeout=STOP_WITHIN_S)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._record.unlink(missing_ok=True)
        return len(found)

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Child:
        """Start a child; `wait_for` tells when it is ready."""
        child = Child(name=name, command=command, environment=environment, log=self._folder / "logs" / f"{name}.log")
        child.start()
        self._children.append(child)
        self._remember()
        return child

    def wait_for(self, child: Child, ready: Callable[[], bool], *, within_s: float) -> None:
        """Wait until a child is ready.

        Raises:
            SetupError: it ended or was not ready in time; the message holds the end of its log.
        """
        deadline = time.monotonic() + within_s
        while not ready():
            ended = child.process is not None and child.process.poll() is not None
            if ended or time.monotonic() > deadline:
                within = "" if ended else f" within {within_s:.0f} s"
                raise SetupError(f"The {child.name} did not start{within}. The end of {child.log}:\n{child.log_tail()}")
            time.sleep(POLL_S)

    def watch(self, tell: Callable[[str], None]) -> None:
        """Restart children that end; returns only by an exception, such as KeyboardInterrupt.

        Raises:
            SetupError: one ended more than five times within a minute.
        """
        while True:
            for child in self._children:
                if child.process is not None and child.process.poll() is not None:
                    recent = [at for at in child.started if time.monotonic() - at < RESTARTS_WINDOW_S]
                    if len(recent) > RESTARTS_MAX:
                        raise SetupError(f"The {child.name} keeps ending. The end of {child.log}:\n{child.log_tail()}")
                    tell(f"The {child.name} ended (code {child.process.returncode}); it is started again.")
                    child.start()
                    self._remember()
            time.sleep(POLL_S * 5)

    def stop(self) -> None:
        """Stop all, the last started first: politely, then for good."""
        for child in reversed(self._children):
            if child.process is not None and child.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_WITHIN_S
        for child in self._children:
            if child.process is None:
                continue
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait(5)
        self._children.clear()
        self._record.unlink(missing_ok=True)

    def _remember(self) -> None:
        entries = []
        for child in self._children:
            if child.process is not None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    entries.append({"pid": child.process.pid, "created": psutil.Process(child.process.pid).create_time()})
        self._record.parent.mkdir(parents=True, exist_ok=True)
        self._record.write_text(json.dumps(entries))


def _same_process(pid: int, created: float) -> psutil.Process | None:
    """The process if it is still the one that was remembered, not a later one with its number."""
    try:
        process = psutil.Process(pid)
        return process if abs(process.create_time() - created) < 1.0 else None
    except psutil.NoSuchProcess:
        return None
