"""What is in an export, as the export itself says it: read from strangers, so believed only as far as it is checked."""

from __future__ import annotations

import re
from datetime import datetime
from importlib import metadata
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .tables import Counter, Table
from .values import ARRAY, KINDS, Column

FORMAT = 1
BYTES_MAX = 16 << 20
TABLES_MAX = 10_000
_Name = Annotated[str, Field(min_length=1, max_length=200)]
_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_KIND = re.compile(rf"(?:{ARRAY})?(?:{'|'.join(KINDS)})", re.ASCII)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ColumnPart(_Part):
    """A column; see `values` for kinds."""

    name: _Name
    kind: Annotated[str, Field(pattern=f"^(?:{_KIND.pattern})$")]


class TablePart(_Part):
    """A table, and what its file must be like."""

    name: _Name
    file: Annotated[str, Field(pattern=r"^data/[0-9]{5}\.ndjson$")]
    columns: Annotated[list[ColumnPart], Field(max_length=2000)]
    rows: Annotated[int, Field(ge=0)]
    bytes: Annotated[int, Field(ge=0)]
    sha256: _Hash

    @property
    def table(self) -> Table:
        """As databases say it."""
        return Table(name=self.name, columns=tuple(Column(name=each.name, kind=each.kind) for each in self.columns))


class CounterPart(_Part):
    """See `tables.Counter`."""

    table: _Name | None
    column: _Name | None
    name: _Name | None
    last: int
    is_used: bool

    @property
    def counter(self) -> Counter:
        """As databases say it."""
        return Counter(**self.model_dump())


class Manifest(_Part):
    """All of it.

    Attributes:
        library: which version wrote it, for whoever reads it later.
        tenant_id, key: whose data it was then.
    """

    format: Literal[1]
    library: Annotated[str, Field(max_length=200)]
    dialect: Literal["postgresql", "sqlite"]
    revision: Annotated[str, Field(max_length=200)]
    tenant_id: Annotated[str, Field(max_length=64)]
    key: Annotated[str, Field(max_length=63)]
    created_at: Annotated[datetime, Field(strict=False)]
    tables: Annotated[list[TablePart], Field(max_length=TABLES_MAX)]
    counters: Annotated[list[CounterPart], Field(max_length=TABLES_MAX)]

    @model_validator(mode="after")
    def _check_names(self) -> Manifest:
        for what in (
            [each.name for each in self.tables],
            [each.file for each in self.tables],
            *([c.name for c in t.columns] for t in self.tables),
        ):
            if len(set(what)) < len(what):
                raise ValueError("a name is there twice")
        return self

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(each.rows for each in self.tables)


def library() -> str:
    """What wrote an export: this library, with its version where it is installed as a package."""
    try:
        return f"roomtone-tenancy {metadata.version('roomtone-tenancy')}"
    except metadata.PackageNotFoundError:
        return "roomtone-tenancy"
