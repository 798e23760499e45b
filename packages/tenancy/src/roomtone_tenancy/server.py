"""Database servers that tenants are placed on, and how many connections they may cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Literal

from sqlalchemy.engine import URL, make_url

RUNTIME_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "statement_timeout": "30s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "60s",
        "timezone": "UTC",
        "search_path": "public",
    }
)


class ServerState(StrEnum):
    """What a server is there for. Draining: its tenants work, new ones go elsewhere. Disabled: nobody works there."""

    ACCEPTING = "accepting"
    DRAINING = "draining"
    DISABLED = "disabled"


@dataclass(frozen=True)
class Server:
    """One place for tenant databases.

    Args:
        name: how the catalog calls it; never changes once tenants live there.
        url: a role that may create databases and roles (`postgresql+psycopg://...`), or `sqlite:///folder` for files in that folder.
        capacity: how many tenants are placed here at most, >= 0.
        regions: where it is, in the host's own words; `register(region=...)` asks for one of them.
        settings: PostgreSQL settings of every tenant's runtime role in its own database, set again on each clone.
        runtime_url: where tenants' work connects to instead, such as a PgBouncer in front; its user, password and database are not
            used. Administration goes to `url`.
        pooling: the mode of that pooler. In "transaction" mode nothing of a session outlives its transaction, and nothing is prepared.
    """

    name: str
    url: str = field(repr=False)
    capacity: int = 1000
    regions: tuple[str, ...] = field(default=(), kw_only=True)
    settings: Mapping[str, str] = field(default_factory=lambda: RUNTIME_SETTINGS, repr=False, hash=False)
    runtime_url: str | None = field(default=None, repr=False)
    pooling: Literal["session", "transaction"] | None = None

    @cached_property
    def runtime(self) -> URL:
        """Where tenants' work connects to."""
        return make_url(self.runtime_url or self.url)

    @cached_property
    def parsed(self) -> URL:
        """The URL in its parts; its text form hides the password."""
        return make_url(self.url)

    @cached_property
    def is_sqlite(self) -> bool:
        """Whether tenants are files."""
        return self.parsed.get_backend_name() == "sqlite"


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolLimits:
    """Bounds on connections, each for one process.

    Args:
        per_tenant: connections of one tenant, >= 1.
        per_server: connections to one server, over all tenants, >= 1.
        wait_s: how long a caller waits for one before `BudgetExhausted`, seconds.
        engines: tenants whose engine is kept; the longest unused beyond that is forgotten.
        shared_by: how many processes divide `per_server` between them; each takes its part rounded down, but at least 1.
        beat_s: divide by a heart-beat in the catalog instead: how often each process tells that it lives, seconds; one silent
            for 3 beats counts no more. None leaves it to `shared_by`.
        ping_after_s: a connection unused for longer is asked whether it still answers before it is lent, seconds.
        leak_s: warn of connections held for longer, with the stack that took them; None looks at no stack. Costs some 50 µs a lease.
    """

    per_tenant: int = 2
    per_server: int = 40
    wait_s: float = 5.0
    engines: int = 1000
    shared_by: int = 1
    beat_s: float | None = None
    ping_after_s: float = 30.0
    leak_s: float | None = None

    def __post_init__(self) -> None:
        if min(self.per_tenant, self.per_server, self.engines, self.shared_by) < 1 or self.wait_s < 0:
            raise ValueError("PoolLimits need at least one connection, engine and process, and a wait of 0 seconds or more.")
        if self.beat_s is not None and (self.beat_s <= 0 or self.shared_by > 1):
            raise ValueError("PoolLimits take either shared_by or a beat_s of more than 0 seconds.")

    @property
    def share(self) -> int:
        """Connections to one server that this process may open when it starts; with a heart-beat none before the first one."""
        return 0 if self.beat_s is not None else max(1, self.per_server // self.shared_by)
