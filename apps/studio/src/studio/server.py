"""The web server: gunicorn with threads, set up from the settings."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from threading import Thread
from typing import Any

from gunicorn.app.base import BaseApplication

from studio.config import Settings

REQUESTS_MAX = 50_000
TIMEOUT_S = 120


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """Gunicorn without a configuration file."""

    def __init__(self, settings: Settings, *, bind: str, make: Callable[[], Any]) -> None:  # Any: a WSGI callable
        self._settings, self._bind, self._make = settings, bind, make
        super().__init__()

    def load_config(self) -> None:
        """Hand gunicorn its settings."""
        values = {
            "bind": self._bind,
            "workers": self._settings.web_processes,
            "threads": self._settings.web_threads,
            "worker_class": "gthread",
            "timeout": TIMEOUT_S,
            "graceful_timeout": 10,
            "keepalive": 15,
            "max_requests": REQUESTS_MAX,
            "max_requests_jitter": REQUESTS_MAX // 10,
            "accesslog": None,
            "control_socket_disable": True,
        }
        for name, value in values.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:  # Any: a WSGI callable
        """Build the application in the process that serves it, after the fork; what only the assistant needs is imported beside it."""
        made = self._make()
        Thread(target=import_module, args=["studio.assistant.model"], daemon=True).start()
        return made
