"""Resolvers in an order, and what happens when two of them disagree."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from .. import key as keys
from ..errors import BadHost, BadKey, ConflictingTenants, UnknownHost, UnknownTenant
from ..resolve import normalise_host
from ..tenant import Tenant
from .facts import Found, RequestFacts, Resolver
from .peers import ForwardedHeaders
from .sources import CustomDomain, Path


class Directory(Protocol):
    """Who knows the tenants: a `Tenancy`."""

    def tenant(self, key: str) -> Tenant:
        """The tenant of this key, else `UnknownTenant`."""
        ...

    def resolve(self, host: str) -> Tenant:
        """The tenant of this host, else `UnknownHost`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One resolver's part in a trace: what it read, and whose that is; `tenant` is None for nobody."""

    resolver: str
    found: Found | None
    tenant: Tenant | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """Why a request is for this tenant: every resolver's answer in order, and what came of them. `str()` shows it in lines."""

    host: str
    is_central: bool
    answers: tuple[Answer, ...]
    tenant: Tenant | None
    error: str | None

    def __str__(self) -> str:
        lines = [f"host {self.host!r}{' (central)' if self.is_central else ''}"]
        for answer in self.answers:
            read = "nothing" if answer.found is None else repr(answer.found.key or answer.found.host)
            lines.append(f"{answer.resolver}: {read} -> {answer.tenant.key if answer.tenant else 'nobody'}")
        return "\n".join([*lines, f"so: {self.error or (self.tenant.key if self.tenant else 'no tenant')}"])


class Chain:
    """Finds a request's tenant.

    Args:
        tenants: the `Tenancy`.
        resolvers: asked in this order.
        central_hosts: the platform's own. They are no tenant's whatever the catalog says, and work without one.
        forwarded: believes X-Forwarded-Host of our proxies; None never does.
        on_conflict: "refuse" asks every resolver and raises when two name different tenants; "first_wins" stops at the first answer.
    """

    def __init__(
        self,
        tenants: Directory,
        resolvers: Sequence[Resolver] = (),
        *,
        central_hosts: Collection[str] = (),
        forwarded: ForwardedHeaders | None = None,
        on_conflict: Literal["refuse", "first_wins"] = "refuse",
    ) -> None:
        self._tenants, self.resolvers = tenants, tuple(resolvers) or (CustomDomain(),)
        self._central = frozenset(map(normalise_host, central_hosts))
        self._forwarded, self._first_wins = forwarded, on_conflict == "first_wins"

    def find(self, facts: RequestFacts) -> Tenant | None:
        """The request's tenant; None on a central host when nothing else names one.

        Raises:
            BadHost: the host is none, or there are several.
            UnknownTenant, UnknownHost: nobody's, or nothing names anyone.
            ConflictingTenants: two resolvers disagree.
            CatalogUnavailable: nothing is remembered and the catalog does not answer.
        """
        facts = self._settled(facts)
        return self._verdict(facts, self._answers(facts))

    def explain(self, facts: RequestFacts) -> Trace:
        """The same with every step of it, for a person who asks "why this tenant?". Raises nothing but CatalogUnavailable."""
        try:
            facts = self._settled(facts)
        except BadHost as error:
            return Trace(host=facts.host, is_central=False, answers=(), tenant=None, error=str(error))
        answers, tenant, error_text = tuple(self._answers(facts)), None, None
        try:
            tenant = self._verdict(facts, iter(answers))
        except (UnknownTenant, ConflictingTenants) as error:
            error_text = str(error)
        return Trace(host=facts.host, is_central=facts.is_central, answers=answers, tenant=tenant, error=error_text)

    def root(self, path: str) -> str:
        """The beginning of a path that names a tenant, for adapters to move into the application's root; mostly empty."""
        for resolver in self.resolvers:
            if isinstance(resolver, Path) and (root := resolver.root(path)):
                return root
        return ""

    def _settled(self, facts: RequestFacts) -> RequestFacts:
        """The host made comparable, after whichever headers are believed."""
        if not facts.path.startswith("/") and facts.path not in ("", "*"):
            raise BadHost(facts.path)  # an absolute URI in the request line names a second host (RFC 9112 section 3.2.2)
        host = normalise_host(self._forwarded.host(facts) if self._forwarded else facts.host)
        is_central = host in self._central
        if host == facts.host and is_central == facts.is_central:
            return facts
        return replace(facts, host=host, is_central=is_central)

    def _answers(self, facts: RequestFacts) -> Iterator[Answer]:
        for resolver in self.resolvers:
            found = resolver.resolve(facts)
            yield Answer(resolver=str(resolver), found=found, tenant=None if found is None else self._look_up(found))

    def _look_up(self, found: Found) -> Tenant | None:
        try:
            if found.key is not None:
                return self._tenants.tenant(keys.check(found.key))  # a key that breaks the rules costs no query
            return self._tenants.resolve(found.host or "")
        except (UnknownTenant, BadKey):
            return None

    def _verdict(self, facts: RequestFacts, answers: Iterator[Answer]) -> Tenant | None:
        named: list[Answer] = []
        for answer in answers:
            if answer.tenant is not None or (answer.found is not None and answer.found.must_exist):
                named.append(answer)
                if self._first_wins:
                    break
        if not named:
            if facts.is_central:
                return None
            raise UnknownHost(facts.host)
        first = named[0]
        if any(_identity(other) != _identity(first) for other in named):
            raise ConflictingTenants({answer.resolver: _identity(answer) for answer in named})
        if first.tenant is None:
            raise UnknownTenant(_identity(first))
        return first.tenant


def _identity(answer: Answer) -> str:
    """Whom the answer names, also when there is no such tenant."""
    if answer.tenant is not None:
        return answer.tenant.key
    return (answer.found.key or answer.found.host or "") if answer.found else ""
