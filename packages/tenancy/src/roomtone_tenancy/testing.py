"""For hosts' tests: tenants that come and go, and proof that another tenant was not touched."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, inspect
from sqlalchemy.orm import Session

from .key import random_text
from .tenancy import Tenancy
from .tenant import Tenant


@contextmanager
def temporary_tenant(tenancy: Tenancy, catalog: Engine, key: str | None = None, *, domains: tuple[str, ...] = ()) -> Iterator[Tenant]:
    """An active tenant for the length of the block, under a new key if none is given; deleted afterwards."""
    key = key or f"test-{random_text(8)}"
    with Session(catalog) as session, session.begin():
        tenancy.register(session, key, domains=domains)
    try:
        yield tenancy.provision(key)
    finally:
        tenancy.delete(key)


def fingerprint(tenancy: Tenancy, key: str) -> str:
    """A digest of every row of every table of the tenant: equal as long as nothing was written. Reads the whole database."""
    digest = hashlib.sha256()
    with tenancy.use(key, allow_switch=True), tenancy.session() as session:
        connection = session.connection()
        quote = connection.dialect.identifier_preparer.quote_identifier
        for table in sorted(inspect(connection).get_table_names()):
            rows = connection.exec_driver_sql(f"SELECT * FROM {quote(table)}")  # noqa: S608 -- a quoted name of its own schema
            digest.update(repr((table, sorted(map(repr, rows)))).encode())
    return digest.hexdigest()


@contextmanager
def untouched(tenancy: Tenancy, key: str) -> Iterator[None]:
    """Fail when anything in this tenant's database changes within the block: the leak detector.

    Raises:
        AssertionError: it changed.
    """
    before = fingerprint(tenancy, key)
    yield
    assert fingerprint(tenancy, key) == before, f"The database of tenant {key!r} changed while only others were meant to."
