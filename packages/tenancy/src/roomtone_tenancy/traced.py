"""Parts that every request goes through, with a span around them. They stand in for the plain ones only where somebody traces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from .errors import UnknownTenant
from .lookups import Lookups
from .registry import Registry
from .spans import Spans
from .tenant import Tenant

T = TypeVar("T")


class TracedLookups(Lookups):
    """Look-ups, with a span for each read of the catalog."""

    def __init__(self, catalog: Engine, *, spans: Spans, **options: Any) -> None:  # what Lookups takes
        super().__init__(catalog, **options)
        self._spans = spans

    def read(self, query: Callable[[Connection], T]) -> T:
        """As it is."""
        with self._spans.span("catalog"):
            return super().read(query)


@dataclass(frozen=True, kw_only=True)
class TracedRegistry(Registry):
    """A registry, with a span for each tenant that somebody asks for. That there is none is an answer, and no error."""

    spans: Spans

    def get(self, key: str) -> Tenant:
        """As it is."""
        return self._resolve("key", super().get, key)

    def resolve(self, host: str) -> Tenant:
        """As it is."""
        return self._resolve("host", super().resolve, host)

    def _resolve(self, by: str, find: Callable[[str], Tenant], sought: str) -> Tenant:
        with self.spans.span("resolve", by=by) as span:
            try:
                tenant = find(sought)
            except UnknownTenant as error:
                absent = error
                span.note(found=False)
            else:
                span.note(tenant=tenant.key, found=True)
                return tenant
        raise absent
