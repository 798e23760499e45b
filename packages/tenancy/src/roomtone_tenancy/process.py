"""Who we are among processes, so that the lease of a dead one can be told from that of a slow one."""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from pathlib import Path


def own_identity() -> str:
    """`host/namespace/pid/start`: unique to this process, also after its pid is used again."""
    return _identity(os.getpid())


@lru_cache(1)
def _identity(pid: int) -> str:
    return f"{_place()}/{pid}/{_started(pid)}"


def is_surely_dead(identity: str) -> bool:
    """Whether the process can be seen to be gone; False when it lives, or runs where we cannot look."""
    place, _, rest = identity.partition("/")
    namespace, _, rest = rest.partition("/")
    pid, _, start = rest.partition("/")
    if f"{place}/{namespace}" != _place() or not pid.isdigit() or not start.isdigit():
        return False
    return _started(int(pid)) != start


def _place() -> str:
    """Host name and pid namespace: two containers may share the first and then see each other's pids as dead."""
    try:
        namespace = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        namespace = "-"
    return f"{socket.gethostname()}/{namespace}"


def _started(pid: int) -> str:
    """Start time in clock ticks since boot; '-' where the system has no /proc, 'gone' when there is no such process."""
    if not Path("/proc/self/stat").exists():
        return "-"
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "gone"
    return "gone" if fields[0] in "ZX" else fields[19]
