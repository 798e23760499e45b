"""Spans for OpenTelemetry; needs the extra `opentelemetry`, which is its API alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, cast

from opentelemetry import context as contexts
from opentelemetry import trace

from .spans import F, Fact, Span

_PREFIX = "tenancy."


class OpenTelemetrySpans:
    """Give it to `Tenancy(spans=...)`. Names begin with `tenancy.`, as do attributes.

    Args:
        provider: the application's; the global one when None, also when it is set later.
        names_tenants: note the tenant's key as `tenancy.tenant`. Traces often go to others, and a key may be a customer's name.
    """

    def __init__(self, provider: trace.TracerProvider | None = None, *, names_tenants: bool = False) -> None:
        self._tracer = trace.get_tracer("roomtone_tenancy", tracer_provider=provider)
        self._names_tenants = names_tenants

    @contextmanager
    def span(self, name: str, *, tenant: str | None = None, **facts: Fact) -> Iterator[Span]:
        """As `spans.Spans`."""
        with self._tracer.start_as_current_span(_PREFIX + name) as span:
            noted = _Span(span, names_tenants=self._names_tenants)
            noted.note(tenant=tenant, **facts)
            yield noted

    def carried(self, function: F) -> F:
        """As `spans.Spans`."""
        parent = contexts.get_current()

        @wraps(function)
        def within(*arguments: Any, **options: Any) -> object:  # the function's own
            token = contexts.attach(parent)
            try:
                return function(*arguments, **options)
            finally:
                contexts.detach(token)

        return cast(F, cast(Callable[..., object], within))  # a function with the signature of the one that it calls


class _Span:
    def __init__(self, span: trace.Span, *, names_tenants: bool) -> None:
        self._span, self._names_tenants = span, names_tenants

    def note(self, *, tenant: str | None = None, **facts: Fact) -> None:
        for name, fact in facts.items():
            self._span.set_attribute(_PREFIX + name, fact)
        if tenant is not None and self._names_tenants:
            self._span.set_attribute(_PREFIX + "tenant", tenant)
