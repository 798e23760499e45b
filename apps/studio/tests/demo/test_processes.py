"""The demo's children: started, waited for, restarted within a bound, stopped, and cleaned up after a demo that was killed."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from studio.demo.processes import RESTARTS_MAX, Processes
from studio.errors import SetupError

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


@pytest.fixture
def processes(tmp_path: Path):
    processes = Processes(tmp_path)
    yield processes
    processes.stop()


def test_a_child_is_waited_for_and_stopped(processes) -> None:
    child = processes.start("sleeper", SLEEPER, {})
    processes.wait_for(child, lambda: "up" in child.log_tail(), within_s=20)

    processes.stop()

    assert child.process.returncode is not None


def test_a_child_that_ends_is_told_with_its_log(processes) -> None:
    child = processes.start("broken", [sys.executable, "-c", "raise SystemExit('the port is taken')"], {})

    with pytest.raises(SetupError, match="the port is taken"):
        processes.wait_for(child, lambda: False, within_s=20)


def test_a_child_that_is_late_is_told_with_the_limit(processes) -> None:
    child = processes.start("late", SLEEPER, {})

    with pytest.raises(SetupError, match="within 0 s"):
        processes.wait_for(child, lambda: False, within_s=0)


def test_a_child_that_keeps_ending_is_given_up(processes) -> None:
    told: list[str] = []
    child = processes.start("broken", [sys.executable, "-c", "raise SystemExit('no database')"], {})

    with pytest.raises(SetupError, match="keeps ending"):
        processes.watch(told.append)

    assert len(told) == RESTARTS_MAX
    assert len(child.started) == RESTARTS_MAX + 1


def test_leftovers_of_a_killed_demo_are_stopped_by_the_next(tmp_path: Path) -> None:
    killed = Processes(tmp_path)
    child = killed.start("sleeper", SLEEPER, {})

    stopped = Processes(tmp_path).stop_leftovers()

    assert stopped == 1
    assert child.process.wait(10) is not None
    assert Processes(tmp_path).stop_leftovers() == 0


def test_a_stranger_with_a_remembered_number_is_left_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen(SLEEPER)
    (tmp_path / "processes.json").write_text(f'[{{"pid": {stranger.pid}, "created": {time.time() - 9999}}}]')

    assert Processes(tmp_path).stop_leftovers() == 0

    assert psutil.pid_exists(stranger.pid)
    stranger.kill()
    stranger.wait()
