"""The courier: brings events to their endpoints, signed as Stripe signs them, at least once."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ipaddress
import json
from collections.abc import Callable
from threading import Lock, RLock
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .objects import Object
from .resources import deliveries
from .world import World

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Post = Callable[[str, bytes, dict[str, str]], int]
TIMEOUT_S = 10.0
ROUND = 100


class Courier:
    """Delivers what is due; safe to use from several threads.

    Args:
        post: sends a body to an address and returns the HTTP status; it may raise OSError. It is called without the lock, because the
            receiver may call the API before it answers.
    """

    def __init__(self, world: World, lock: RLock, *, post: Post) -> None:
        self._world = world
        self._lock = lock
        self._post = post
        self._chaos = world.chaos
        self._under_way: set[str] = set()
        self._early = Lock()

    def deliver_early(self, request_id: str) -> None:
        """Deliver what is due before the caller has its answer, where the chaos setting wants that for this request.

        A call that the receiver makes meanwhile waits for nothing: its own webhooks go out after the round that is under way.
        """
        if self._chaos.is_early(request_id) and self._early.acquire(blocking=False):
            try:
                self.deliver(ROUND)
            finally:
                self._early.release()

    def deliver(self, limit: int) -> int:
        """Attempt what is due, at most `limit` attempts, and what becomes due meanwhile; return how many arrived."""
        arrived = attempts = 0
        while attempts < limit and (batch := self._take(min(ROUND, limit - attempts))):
            try:
                for delivery in self._chaos.arranged(batch):
                    arrived += self._attempt(delivery)
            finally:
                with self._lock:
                    self._under_way.difference_update(each["id"] for each in batch)
            attempts += len(batch)
        return arrived

    def _take(self, size: int) -> list[Object]:
        with self._lock:
            batch = [each for each in deliveries.due(self._world) if each["id"] not in self._under_way][:size]
            self._under_way.update(each["id"] for each in batch)
            return batch

    def _attempt(self, delivery: Object) -> bool:
        status: int | None = None
        problem: str | None = "lost on the way, as the chaos setting asks"
        if not self._chaos.is_dropped(delivery):
            status, problem = self._send(delivery)
            if self._chaos.is_doubled(delivery):
                self._send(delivery)
        with self._lock, self._world.store.transaction():
            deliveries.record(self._world, delivery["id"], status=status, problem=problem)
        return status is not None and 200 <= status < 300

    def _send(self, delivery: Object) -> tuple[int | None, str | None]:
        with self._lock:
            destination = deliveries.destination(self._world, delivery)
            with self._world.store.seen_as(delivery["account"]):
                event = self._world.store.find("event", delivery["event"])
            now = self._world.now
        if destination is None or event is None:
            return None, "the endpoint or the event is gone"
        url, secret = destination
        body = json.dumps(event, indent=2).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "OfflineStripe/1.0",
            "Stripe-Signature": sign(body, secret, at=now),
        }
        try:
            status = self._post(url, body, headers)
        except OSError as error:
            return None, f"{type(error).__name__}: {error}"
        return status, None if 200 <= status < 300 else f"answered {status}"


def sign(body: bytes, secret: str, *, at: int) -> str:
    """Return the `Stripe-Signature` header for a body at a moment (unix seconds).

    Source: https://docs.stripe.com/webhooks#verify-manually
    """
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def post_to_loopback(url: str, body: bytes, headers: dict[str, str]) -> int:
    """Send a POST over HTTP to this machine and return the status; redirects are not followed.

    Raises:
        OSError: nothing answers within 10 s, or the address is not on the loopback interface.
    """
    address = urlsplit(url)
    host = address.hostname or ""
    if address.scheme != "http" or not is_loopback(host):
        raise OSError(f"{url} is not http:// on this machine, and the offline Stripe talks to nothing else")
    # Names under .localhost are this machine, though not every resolver knows.
    connection = http.client.HTTPConnection("127.0.0.1" if host.endswith(".localhost") else host, address.port or 80, timeout=TIMEOUT_S)
    try:
        path = (address.path or "/") + (f"?{address.query}" if address.query else "")
        connection.request("POST", path, body=body, headers={**headers, "Host": address.netloc})
        return connection.getresponse().status
    except http.client.HTTPException as error:
        raise OSError(f"no proper answer: {error!r}") from error
    finally:
        connection.close()


def post_to_app(app: WSGIApplication) -> Post:
    """Return a `post` for `OfflineStripe` that hands webhooks to a WSGI application in this process, whatever their address's host is."""

    from werkzeug.test import Client  # comes with Flask, which the SDK's users need not have

    def post(url: str, body: bytes, headers: dict[str, str]) -> int:
        return Client(app).post(urlsplit(url).path, data=body, headers=headers).status_code

    return post


def is_loopback(host: str) -> bool:
    """Is it this machine's own name or address?"""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
