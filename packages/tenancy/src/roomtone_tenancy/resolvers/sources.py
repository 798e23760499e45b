"""The resolvers that come with the package; a host's own needs one method."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..resolve import is_address, normalise_host
from .facts import Found, RequestFacts
from .peers import Tally, TrustedPeers


class CustomDomain:
    """The host is a tenant's own, by the catalog: one given with `register`, or one that was verified."""

    def resolve(self, facts: RequestFacts) -> Found | None:
        """The host; nobody's host is no answer."""
        return None if facts.is_central else Found(host=facts.host, must_exist=False)

    def __str__(self) -> str:
        return "custom domain"


class Subdomain:
    """The host is one label below ours, and that label is the tenant's key. The bare domain and deeper hosts are no tenant's.

    Args:
        bases: domains of ours, such as "app.example".
        reserved: labels that are no tenant's.
    """

    def __init__(self, *bases: str, reserved: Iterable[str] = ("www",)) -> None:
        normal = [normalise_host(base) for base in bases]
        if not normal or any(is_address(base) for base in normal):
            raise ValueError("Subdomain needs at least one domain, and no IP address has subdomains.")
        self._endings, self._reserved = tuple(f".{base}" for base in normal), frozenset(reserved)

    def resolve(self, facts: RequestFacts) -> Found | None:
        """The label; an unknown one is no answer, since the host may be something else."""
        if facts.is_central:
            return None
        for ending in self._endings:
            label = facts.host.removesuffix(ending)
            if label != facts.host and "." not in label and label not in self._reserved:
                return Found(key=label, must_exist=False)
        return None

    def __str__(self) -> str:
        return f"subdomain of {', '.join(ending[1:] for ending in self._endings)}"


class Path:
    """The path begins with the tenant's key. The adapters move that part into the root (SCRIPT_NAME, root_path).

    Args:
        prefix: what stands before the key: "/t" for /t/acme/orders, "" for /acme/orders.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = "/" + prefix.strip("/") if prefix.strip("/") else ""

    def resolve(self, facts: RequestFacts) -> Found | None:
        """The segment after the prefix."""
        root = self.root(facts.path)
        return Found(key=root[len(self._prefix) + 1 :]) if root else None

    def root(self, path: str) -> str:
        """The part of a path that names the tenant, without a slash at the end; empty when none does."""
        if not path.startswith(f"{self._prefix}/"):
            return ""
        key = path[len(self._prefix) + 1 :].partition("/")[0]
        return f"{self._prefix}/{key}" if key else ""

    def __str__(self) -> str:
        return f"path {self._prefix}/…"


class Header:
    """A header set by our own proxy or gateway names the key. From anyone else it is ignored and counted.

    Args:
        trusted: networks of those who may say it; "unix" for a socket of the machine.
    """

    def __init__(self, name: str, *, trusted: Iterable[str]) -> None:
        self._name, self._peers, self._ignored = name, TrustedPeers(trusted), Tally()

    @property
    def ignored(self) -> int:
        """Requests of strangers that sent the header."""
        return self._ignored.count

    def resolve(self, facts: RequestFacts) -> Found | None:
        """The header's value; two of them are no key and so no tenant's."""
        values = facts.headers.all(self._name)
        if not values:
            return None
        if not self._peers.trusts(facts.peer):
            self._ignored.raise_by_one()
            return None
        return Found(key=",".join(values).strip())

    def __str__(self) -> str:
        return f"header {self._name}"


class SessionValue:
    """A value of the request's session names the key."""

    def __init__(self, name: str) -> None:
        self._name = name

    def resolve(self, facts: RequestFacts) -> Found | None:
        """The value; an absent or empty one says nothing."""
        return _named(facts.session().get(self._name))

    def __str__(self) -> str:
        return f"session {self._name}"


class Claim:
    """A claim of a token names the key. The host application verifies the token; an adapter's `claims` hands its content on."""

    def __init__(self, name: str) -> None:
        self._name = name

    def resolve(self, facts: RequestFacts) -> Found | None:
        """The claim's value."""
        return _named(facts.claims().get(self._name))

    def __str__(self) -> str:
        return f"claim {self._name}"


class Explicit:
    """The host application says it itself.

    Args:
        decide: gives a key, or None when it has nothing to say.
    """

    def __init__(self, decide: Callable[[RequestFacts], str | None]) -> None:
        self._decide = decide

    def resolve(self, facts: RequestFacts) -> Found | None:
        """What the application says."""
        return _named(self._decide(facts))

    def __str__(self) -> str:
        return "explicit"


def _named(value: Any) -> Found | None:  # a session's or a token's value can be anything
    return None if value is None or value == "" else Found(key=str(value))
