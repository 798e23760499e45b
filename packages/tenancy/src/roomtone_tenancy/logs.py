"""The tenant in scope in every log line, for the standard library's logging and for processors as structlog has them."""

from __future__ import annotations

import logging
from collections.abc import Callable, MutableMapping
from typing import Any

from .errors import NoTenant
from .tenancy import Tenancy

NOBODY = "-"
"""What a line says where no tenant is in scope."""
Processor = Callable[[Any, str, MutableMapping[str, Any]], MutableMapping[str, Any]]


class TenantFilter(logging.Filter):
    """Gives each record an attribute `tenant`, the key of the tenant in scope: put `%(tenant)s` into the format.

    Add it to handlers, not to loggers: only those see the records of all loggers. It passes every record. One that has a tenant already,
    by `extra={"tenant": ...}` or from another process, keeps it.
    """

    def __init__(self, tenancy: Tenancy) -> None:
        super().__init__()
        self._tenancy = tenancy

    def filter(self, record: logging.LogRecord) -> bool:
        """As logging's."""
        if not hasattr(record, "tenant"):
            record.tenant = _key(self._tenancy)
        return True


def tenant_processor(tenancy: Tenancy) -> Processor:
    """A processor for structlog, or for whatever else takes a logger, a method's name and an event's values: adds `tenant`.

    Where no tenant is in scope, and where the event names one, it adds nothing.
    """

    def add_tenant(_logger: Any, _method: str, values: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        key = _key(tenancy)
        if key != NOBODY:
            values.setdefault("tenant", key)
        return values

    return add_tenant


def _key(tenancy: Tenancy) -> str:
    try:
        return tenancy.current.key
    except NoTenant:
        return NOBODY
