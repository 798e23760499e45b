"""Asks the databases themselves what the catalog says of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, update
from sqlalchemy.orm import Session

from ..models import TenantRow
from ..provisioners import FACT_SOURCES, Facts, Place
from ..provisioning import Provisioning
from ..tenant import Tenant

_AHEAD = 4


class DriftKind(StrEnum):
    """How a database differs from what the catalog says."""

    UNREACHABLE = "unreachable"
    STAMP = "stamp"
    REVISION = "revision"
    BEHIND = "behind"
    INVALID_INDEX = "invalid_index"
    SCHEMA = "schema"


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """One difference.

    Args:
        expected: what the catalog, the scripts or the tables say.
        found: what is there.
    """

    key: str
    kind: DriftKind
    expected: str | None
    found: str | None

    def __str__(self) -> str:
        return _SENTENCES[self.kind].format(key=self.key, expected=self.expected, found=self.found)


_SENTENCES: Mapping[DriftKind, str] = {
    DriftKind.UNREACHABLE: "{key}: its database cannot be asked ({found}); see whether the server is up and the database is there.",
    DriftKind.STAMP: "{key}: its database carries the stamp {found}, not {expected}; put the right one in its place.",
    DriftKind.REVISION: "{key}: the catalog says revision {expected}, its database {found}; run verify --repair, then migrate.",
    DriftKind.BEHIND: "{key}: at revision {found}, not at {expected}; run migrate.",
    DriftKind.INVALID_INDEX: "{key}: the index {found} was left half-built; drop it and create it again.",
    DriftKind.SCHEMA: "{key}: its schema is not what the tables say: {found}.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """What a check found.

    Args:
        checked: databases that were asked.
        drift: by tenant, in the order of their keys.
        repaired: keys whose revision in the catalog was set to the database's own.
    """

    checked: int
    drift: tuple[Drift, ...]
    repaired: tuple[str, ...]
    seconds: float

    @property
    def is_clean(self) -> bool:
        """Whether the catalog says the truth, and all is at the head."""
        return not self.drift

    def to_json(self) -> dict[str, Any]:  # what JSON holds
        """For programs."""
        return {
            "checked": self.checked,
            "is_clean": self.is_clean,
            "drift": [{"tenant": it.key, "kind": it.kind, "expected": it.expected, "found": it.found} for it in self.drift],
            "repaired": list(self.repaired),
            "seconds": round(self.seconds, 3),
        }


def verify(
    of: Provisioning, tenants: Sequence[Tenant], *, parallel: int, metadata: MetaData | None, repair: bool, listen: Callable[[str], object]
) -> Verification:
    """See `Fleet.verify`; `metadata` is what schemas are compared with, None compares none."""
    began = time.monotonic()
    drift: list[Drift] = []
    repaired = []
    head = of.revisions.head
    for tenant, facts, found in _ask_all(of, tenants, parallel, metadata):
        listen(tenant.key)
        drift += _compare(tenant, facts, head) + found if facts is not None else found
        is_ours = facts is not None and facts.stamp == tenant.id
        if repair and facts is not None and is_ours and facts.revision != tenant.revision and "+" not in (facts.revision or ""):
            with Session(of.catalog) as session, session.begin():
                mine = update(TenantRow).where(TenantRow.id == tenant.id, TenantRow.revision.is_not_distinct_from(tenant.revision))
                session.execute(mine.values(revision=facts.revision))
            repaired.append(tenant.key)
    of.registry.forget()
    return Verification(checked=len(tenants), drift=tuple(drift), repaired=tuple(repaired), seconds=time.monotonic() - began)


def _ask_all(
    of: Provisioning, tenants: Sequence[Tenant], parallel: int, metadata: MetaData | None
) -> Iterator[tuple[Tenant, Facts | None, list[Drift]]]:
    """Some at once, their answers in order; only a few are asked before their answer is wanted."""
    with ThreadPoolExecutor(parallel, thread_name_prefix="verify") as threads:
        source = iter(tenants)
        asked = [(tenant, threads.submit(_ask, of, tenant, metadata)) for tenant in islice(source, _AHEAD * parallel)]
        while asked:
            tenant, future = asked.pop(0)
            yield tenant, *future.result()
            asked += [(following, threads.submit(_ask, of, following, metadata)) for following in islice(source, 1)]


def _ask(of: Provisioning, tenant: Tenant, metadata: MetaData | None) -> tuple[Facts | None, list[Drift]]:
    try:
        provisioner, place = of.sites[tenant.server].provisioner, Place(database=tenant.database or "")
        facts = provisioner.facts(place)
        if metadata is None:
            return facts, []
        with provisioner.owner_connection(place) as connection:
            context = MigrationContext.configure(connection, opts={"include_name": _is_theirs, "compare_type": True})
            differences = [_words(each) for each in compare_metadata(context, metadata)]
        found = "; ".join(differences)
        return facts, [Drift(key=tenant.key, kind=DriftKind.SCHEMA, expected=None, found=found)] if differences else []
    except Exception as error:  # noqa: BLE001 -- one that cannot be asked is a finding, and the others are asked too
        text = f"{type(error).__name__}: {error}".strip()
        return None, [Drift(key=tenant.key, kind=DriftKind.UNREACHABLE, expected=None, found=text)]


def _compare(tenant: Tenant, facts: Facts, head: str) -> list[Drift]:
    if facts.stamp != tenant.id:
        return [Drift(key=tenant.key, kind=DriftKind.STAMP, expected=tenant.id, found=facts.stamp)]
    found = [Drift(key=tenant.key, kind=DriftKind.INVALID_INDEX, expected=None, found=name) for name in facts.invalid_indexes]
    if facts.revision != tenant.revision:
        found.append(Drift(key=tenant.key, kind=DriftKind.REVISION, expected=tenant.revision, found=facts.revision))
    elif facts.revision != head:
        found.append(Drift(key=tenant.key, kind=DriftKind.BEHIND, expected=head, found=facts.revision))
    return found


def _is_theirs(name: str | None, kind: str, _parents: Any) -> bool:  # Any: Alembic's
    return kind != "table" or name not in FACT_SOURCES


def _words(difference: Any) -> str:  # Any: Alembic's tuples, some in lists
    verb, *rest = difference[0] if isinstance(difference, list) else difference
    names = [str(getattr(part, "name", None) or part) for part in rest if isinstance(part, str) or getattr(part, "name", None)]
    return " ".join([verb.replace("_", " "), *names])
