"""Sockets of connections that others opened: ended from another thread, and told to notice a peer that is gone."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

_KEEPALIVE = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 10_000}


def sever(descriptor: int) -> None:
    """Shut a socket down, so that whoever waits for its other end fails at once. It is still its owner's to close."""
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as own:
        own.shutdown(socket.SHUT_RDWR)


def keep_alive(descriptor: int) -> None:
    """Learn of a vanished server in seconds, where the system can; a Unix socket needs none of it."""
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):
                own.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
