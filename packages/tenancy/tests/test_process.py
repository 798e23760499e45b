from __future__ import annotations

import subprocess
import sys

import pytest

from roomtone_tenancy.process import is_surely_dead, own_identity

CHILD = "from roomtone_tenancy.process import own_identity; print(own_identity(), flush=True); input()"


def test_we_are_alive():
    assert not is_surely_dead(own_identity())


def test_a_child_is_alive_until_it_ends():
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    identity = child.stdout.readline().strip()
    alive = not is_surely_dead(identity)
    child.kill()
    child.communicate()

    assert alive
    assert is_surely_dead(identity)


def test_a_pid_that_is_used_again_is_another_process():
    place, _, _ = own_identity().rpartition("/")

    assert is_surely_dead(f"{place}/1")


@pytest.mark.parametrize("identity", ["elsewhere/pid:[1]/1/1", "nonsense", "", "a/b/c/d"])
def test_a_process_that_we_cannot_see_is_not_called_dead(identity):
    assert not is_surely_dead(identity)
