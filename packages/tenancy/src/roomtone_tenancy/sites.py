"""Servers as this process reaches them: made at first need, made anew when a server's address changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from .engines import ServerEngines
from .errors import NoServer
from .provisioners import Provisioner
from .server import Server


@dataclass(frozen=True, kw_only=True)
class Site:
    """One server with all that reaches it."""

    server: Server
    provisioner: Provisioner
    engines: ServerEngines

    @property
    def name(self) -> str:
        """The server's name."""
        return self.server.name


class Sites:
    """The servers by name.

    Args:
        find: the server of a name as it is now; None when there is none. Asked at every look-up: it caches.
        names: every server that there is.
        make: what reaches a server; connects nothing.
    """

    def __init__(self, *, find: Callable[[str], Server | None], names: Callable[[], Iterable[str]], make: Callable[[Server], Site]) -> None:
        self._find, self._names, self._make = find, names, make
        self._made: dict[str, Site] = {}
        self._lock = threading.Lock()

    def __getitem__(self, name: str | None) -> Site:
        """The server of this name.

        Raises:
            NoServer: there is none.
        """
        server = None if name is None else self._find(name)
        if server is None:
            raise NoServer(name or "(none)")
        site = self._made.get(server.name)
        return site if site is not None and (site.server is server or site.server == server) else self._renew(server)

    @property
    def by_name(self) -> Mapping[str, Site]:
        """All of them."""
        return {name: self[name] for name in self._names()}

    def dispose(self) -> None:
        """Close every idle connection to those that were used."""
        for site in list(self._made.values()):
            site.engines.dispose()

    def _renew(self, server: Server) -> Site:
        """Make what reaches it; connections to its old address are closed as they come back."""
        with self._lock:
            old = self._made.get(server.name)
            if old is not None and old.server == server:
                return old
            site = self._made[server.name] = self._make(server)
        if old is not None:
            old.engines.dispose()
        return site
