"""Whether a host may have a certificate: what an on-demand TLS server asks before it orders one (Caddy's `ask`)."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from .errors import BadHost, CatalogUnavailable, UnknownTenant
from .resolve import is_address, normalise_host
from .resolvers import Directory, TrustedPeers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

LOOPBACK = ("127.0.0.0/8", "::1/128", "unix")
QUERY_LENGTH_MAX, FIELDS_MAX = 1_000, 5


class CertificateAsk:
    """Answers for hosts of tenants that work, and only for them. An instance is shared by threads.

    Anyone who opens a TLS connection can make the server ask, with any name. So an answer is remembered, and names that are not cost the
    catalog no more than a given number of look-ups a second: beyond it the answer is no, which holds for that one handshake.

    Args:
        tenants: the `Tenancy`.
        lookups_per_s: names that are not remembered, looked up a second; as many may come at once.
        ttl_s: how long an answer is remembered, seconds; how late a new domain gets its certificate, at worst.
        entries_max: answers remembered; the longest unused goes first.
        timer: seconds that only grow.
    """

    def __init__(
        self,
        tenants: Directory,
        *,
        lookups_per_s: float = 20.0,
        ttl_s: float = 10.0,
        entries_max: int = 10_000,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tenants, self._rate, self._ttl_s, self._entries_max, self._timer = tenants, lookups_per_s, ttl_s, entries_max, timer
        self._answers: OrderedDict[str, tuple[bool, float]] = OrderedDict()
        self._tokens, self._filled_at = lookups_per_s, timer()
        self._lock = threading.Lock()

    def may(self, host: str) -> bool:
        """Whether a tenant that works answers to this host. False too when nobody can say now."""
        try:
            host = normalise_host(host)
        except BadHost:
            return False
        if is_address(host) or "." not in host:
            return False
        with self._lock:
            now = self._timer()
            known = self._answers.get(host)
            if known is not None and known[1] > now:
                self._answers.move_to_end(host)
                return known[0]
            if not self._take(now):
                return False
        try:
            answer = self._tenants.resolve(host).state.may_read
        except UnknownTenant:
            answer = False
        except CatalogUnavailable:
            return False
        with self._lock:
            self._answers[host] = (answer, self._timer() + self._ttl_s)
            self._answers.move_to_end(host)
            while len(self._answers) > self._entries_max:
                self._answers.popitem(last=False)
        return answer

    def _take(self, now: float) -> bool:
        """One of the second's look-ups, if one is left."""
        self._tokens = min(self._rate, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class AskApp:
    """A WSGI application of one page, `?domain=<host>`: 200 when the host may have a certificate, else 404. It never redirects.

    Args:
        trusted: networks that may ask; others get 404 whatever they ask. "unix" stands for a socket of the machine.
    """

    def __init__(self, ask: CertificateAsk, *, trusted: Iterable[str] = LOOPBACK) -> None:
        self._ask, self._peers = ask, TrustedPeers(trusted)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one question."""
        may = self.answers(environ.get("REMOTE_ADDR") or None, environ.get("QUERY_STRING", ""))
        start_response("200 OK" if may else "404 Not Found", [("Content-Length", "0"), ("Cache-Control", "no-store")])
        return []

    def answers(self, peer: str | None, query: str) -> bool:
        """Whether this peer gets a yes to this query string."""
        if not self._peers.trusts(peer) or len(query) > QUERY_LENGTH_MAX:
            return False
        try:
            asked = parse_qs(query, max_num_fields=FIELDS_MAX).get("domain", [])
        except ValueError:  # more fields than that
            return False
        return len(asked) == 1 and self._ask.may(asked[0])
