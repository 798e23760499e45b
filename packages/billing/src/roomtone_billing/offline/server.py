"""Serves an offline Stripe on the loopback interface, with a courier that keeps delivering."""

from __future__ import annotations

import logging
from threading import Event, Thread

from werkzeug.serving import BaseWSGIServer, make_server

from .offline_stripe import OfflineStripe

ROUND_S = 0.2
HOST = "127.0.0.1"
log = logging.getLogger(__name__)


class Server:
    """An HTTP server and a courier thread around one `OfflineStripe`.

    Args:
        port: 0 takes a free one; `url` says which.
    """

    def __init__(self, offline: OfflineStripe, *, port: int = 4242) -> None:
        self._offline = offline
        self._server: BaseWSGIServer = make_server(HOST, port, offline.wsgi_app, threaded=True)
        self._stopping = Event()
        self.url = f"http://{HOST}:{self._server.port}"
        offline.serve_at(self.url)

    def run(self) -> None:
        """Serve until `stop` or an interrupt."""
        courier = Thread(target=self._carry, name="offline-stripe-courier", daemon=True)
        courier.start()
        try:
            self._server.serve_forever(poll_interval=0.1)
        finally:
            self._stopping.set()
            courier.join(timeout=15)
            self._server.server_close()

    def stop(self) -> None:
        """Let `run` return."""
        self._stopping.set()
        self._server.shutdown()

    def _carry(self) -> None:
        while not self._stopping.wait(ROUND_S):
            try:
                self._offline.advance(0)
                self._offline.deliver()
            except Exception:
                # The courier must outlive whatever one event brings up; the delivery stays queued and is tried again.
                log.exception("the courier's round failed")
