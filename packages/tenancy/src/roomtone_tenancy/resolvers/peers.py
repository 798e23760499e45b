"""Whom to believe: headers that name a host or a tenant count only when a known proxy sent them."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address, ip_network

from .facts import RequestFacts

UNIX_SOCKET = "unix"


class TrustedPeers:
    """Networks that our own proxies are in.

    Args:
        networks: such as "10.0.0.0/8" or "::1"; "unix" stands for a connection without an address.
    """

    def __init__(self, networks: Iterable[str]) -> None:
        given = list(networks)
        self._unix = UNIX_SOCKET in given
        self._networks = [ip_network(network) for network in given if network != UNIX_SOCKET]

    def trusts(self, peer: str | None) -> bool:
        """Whether the peer is one of ours."""
        if not peer:
            return self._unix
        try:
            address = ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)


class Tally:
    """A count that threads raise together."""

    def __init__(self) -> None:
        self._lock, self._count = threading.Lock(), 0

    def raise_by_one(self) -> None:
        """One more."""
        with self._lock:
            self._count += 1

    @property
    def count(self) -> int:
        """How many there were."""
        return self._count


class ForwardedHeaders:
    """Takes the host that a browser asked for from X-Forwarded-Host, when one of our proxies sent it.

    Only for finding the tenant: the addresses that a framework builds follow its own setting, as Werkzeug's ProxyFix.

    Args:
        trusted: networks that our proxies are in.
        hops: how many proxies each add a value, nearest last; the value that the farthest of them saw counts.
    """

    def __init__(self, *, trusted: Iterable[str], hops: int = 1) -> None:
        if hops < 1:
            raise ValueError("ForwardedHeaders needs hops of at least 1; leave it out where no proxy stands in front.")
        self._peers, self._hops, self._ignored = TrustedPeers(trusted), hops, Tally()

    @property
    def ignored(self) -> int:
        """Requests of strangers that sent the header."""
        return self._ignored.count

    def host(self, facts: RequestFacts) -> str:
        """The host that was asked for, as it was sent."""
        values = [part.strip() for value in facts.headers.all("X-Forwarded-Host") for part in value.split(",")]
        if not values:
            return facts.host
        if not self._peers.trusts(facts.peer):
            self._ignored.raise_by_one()
            return facts.host
        return values[-self._hops] if len(values) >= self._hops else facts.host
