"""What resolvers see of a request, whatever framework it came through, and what they answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

NOTHING: Mapping[str, Any] = {}


class Headers:
    """A request's headers: any case, every value of a name in its order.

    A name with `_` is dropped: servers that write `X_TENANT` and `X-TENANT` as one variable would let a client forge what a proxy sets.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            if "_" not in name:
                self._values.setdefault(name.lower(), []).append(value)

    def all(self, name: str) -> list[str]:
        """Every value of a header; empty when it was not sent."""
        return list(self._values.get(name.lower(), ()))


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestFacts:
    """One request, as far as it can say whose it is.

    Args:
        host: the Host header as it was sent; the chain hands it to resolvers normalised.
        path: decoded, below the root that the application is mounted at.
        peer: the address that the connection came from; None for a socket of the machine.
        session: gives the values of the request's session; asked only by a resolver that needs them.
        claims: gives what a token, verified by the host application, says; asked likewise.
        request: the framework's own request: a Flask request, a WSGI environ, an ASGI scope.
        is_central: the host is the platform's own, so it names no tenant.
    """

    host: str
    path: str = "/"
    method: str = "GET"
    headers: Headers = field(default_factory=Headers)
    peer: str | None = None
    session: Callable[[], Mapping[str, Any]] = lambda: NOTHING  # the host's own values: their types are not ours
    claims: Callable[[], Mapping[str, Any]] = lambda: NOTHING
    request: Any = None  # whatever the framework has
    is_central: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a resolver read out of a request: a tenant's key, or a host that the catalog knows the owner of.

    Args:
        must_exist: False when an unknown name is no answer, as a subdomain that may be something else; True when it is a wrong one.
    """

    key: str | None = None
    host: str | None = None
    must_exist: bool = True


class Resolver(Protocol):
    """One way to tell a request's tenant. `str()` of it appears in traces and conflicts."""

    def resolve(self, facts: RequestFacts) -> Found | None:
        """What the request says; None when it says nothing here."""
        ...
