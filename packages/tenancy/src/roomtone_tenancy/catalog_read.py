"""One read of the catalog: what it gave, or why it gave nothing; whoever waits for it can give it up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from .sockets import sever

T = TypeVar("T")


@dataclass(slots=True)
class CatalogRead(Generic[T]):
    """Done in one thread, waited for in another.

    Args:
        query: what to do with a connection.

    Attributes:
        result: what it gave, alone in its list.
        error: what came in its place.
        ended: set when there is one of the two.
        is_given_up: nobody waits for it any more.
    """

    query: Callable[[Connection], T]
    result: list[T] = field(default_factory=list)
    error: BaseException | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _descriptor: int | None = None
    is_given_up: bool = False

    @contextmanager
    def on(self, connection: Connection) -> Iterator[None]:
        """Note the connection's socket while the block runs."""
        driver: Any = connection.connection.dbapi_connection  # psycopg's
        with self._lock:
            if self.is_given_up:
                raise TimeoutError("connected when nobody waited any more")
            self._descriptor = driver.fileno()
        try:
            yield
        finally:
            with self._lock:
                self._descriptor = None

    def give_up(self) -> None:
        """End it, if it has a socket by now."""
        with self._lock:
            self.is_given_up = True
            if self._descriptor is not None:
                sever(self._descriptor)
