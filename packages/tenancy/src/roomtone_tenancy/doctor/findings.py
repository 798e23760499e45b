"""What the doctor says: a fault, why it matters, and what to paste to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """Error: somebody is refused, or could see what is not theirs. Warning: it will be one, or costs already."""

    ERROR = "error"
    WARNING = "warning"


class Where(StrEnum):
    """Where a fix belongs: the shell, a SQL prompt of the administrator's, or the code that makes the `Tenancy`."""

    SHELL = "shell"
    SQL = "sql"
    CODE = "code"


@dataclass(frozen=True, kw_only=True, slots=True)
class Fix:
    """What mends it, as it can be pasted.

    Args:
        server: whose administrator runs the SQL.
        database: where it is run.
    """

    where: Where
    text: str
    server: str | None = None
    database: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that is wrong.

    Args:
        check: the check's name, the same for all of its findings.
        subject: a tenant's key, a server's name, or what else it is about.
    """

    check: str
    severity: Severity
    subject: str
    what: str
    why: str
    fix: Fix

    def __str__(self) -> str:
        return f"{self.subject}: {self.what} {self.why} To mend it ({self.fix.where}): {self.fix.text}"

    def to_json(self) -> dict[str, Any]:  # what JSON holds
        """For programs."""
        fix = {name: getattr(self.fix, name) for name in ("where", "text", "server", "database")}
        return {name: getattr(self, name) for name in ("check", "severity", "subject", "what", "why")} | {"fix": fix}


@dataclass(frozen=True, kw_only=True, slots=True)
class Thresholds:
    """From when on something counts as a fault.

    Args:
        databases: a server with so many has to recover from a crash without asking for each file.
        free_inodes: the share of a file system's files that should be free, from 0 to 1.
        claim_age: how long a claimed domain may wait for its proof.
        per_check: findings of one check that are named; the others are counted.
    """

    databases: int = 200
    free_inodes: float = 0.1
    claim_age: timedelta = timedelta(days=1)
    per_check: int = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """What a visit found.

    Args:
        findings: errors first, then in the order of the checks.
        more: how many further ones a check found, by its name.
        looked_into: databases of tenants that were opened, of so many `tenants`.
    """

    findings: tuple[Finding, ...]
    more: Mapping[str, int]
    looked_into: int
    tenants: int
    seconds: float

    @property
    def is_well(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def to_json(self) -> dict[str, Any]:  # what JSON holds
        """For programs."""
        return {
            "is_well": self.is_well,
            "findings": [finding.to_json() for finding in self.findings],
            "more": dict(self.more),
            "looked_into": self.looked_into,
            "tenants": self.tenants,
            "seconds": round(self.seconds, 3),
        }


def shell(text: str) -> Fix:
    """A command."""
    return Fix(where=Where.SHELL, text=text)


def code(text: str) -> Fix:
    """A change where the `Tenancy` is made."""
    return Fix(where=Where.CODE, text=text)


def sql(text: str, *, server: str, database: str = "postgres") -> Fix:
    """Statements for the server's administrator."""
    return Fix(where=Where.SQL, text=text, server=server, database=database)
