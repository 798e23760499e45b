"""What a database holds, as counts and checksums that two servers can be compared by. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BESIDE_THE_DATA = frozenset({"tenancy_stamp"})
"""Tables that say whose the data is, and are not compared."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TableContents:
    """One table, or one sequence (its checksum is its position).

    Args:
        checksum: of the rows in any order; the same in every version of a kind of server, and another one on another kind.
    """

    rows: int
    checksum: str


Contents = Mapping[str, TableContents]


def differences(expected: Contents, found: Contents) -> tuple[str, ...]:
    """What is not the same, a phrase each, by name; empty when all is."""
    names = sorted((expected.keys() | found.keys()) - BESIDE_THE_DATA)
    return tuple(phrase for name in names if (phrase := _difference(name, expected.get(name), found.get(name))))


def total_rows(contents: Contents) -> int:
    """Rows of all tables."""
    return sum(table.rows for name, table in contents.items() if name not in BESIDE_THE_DATA)


def to_json(contents: Contents) -> dict[str, Any]:
    """As a manifest has it."""
    return {name: {"rows": table.rows, "checksum": table.checksum} for name, table in sorted(contents.items())}


def from_json(value: Mapping[str, Any]) -> Contents:
    """What `to_json` gave."""
    return {name: TableContents(rows=int(table["rows"]), checksum=str(table["checksum"])) for name, table in value.items()}


def _difference(name: str, expected: TableContents | None, found: TableContents | None) -> str | None:
    if expected is None:
        return f"{name} should not be there"
    if found is None:
        return f"{name} is missing"
    if expected.rows != found.rows:
        return f"{name} has {found.rows} rows instead of {expected.rows}"
    return None if expected == found else f"{name} has other contents"
