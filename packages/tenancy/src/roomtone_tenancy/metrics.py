"""What tenants, connections, operations and the fleet do, for Prometheus; needs the extra `prometheus`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict

from prometheus_client import Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from .census import Census
from .errors import TenancyError
from .events import (
    Event,
    MigrationFailed,
    StepFailed,
    StepFinished,
    TenantMigrated,
    TenantMoved,
    TenantQuarantined,
    TenantRestored,
)
from .fleet.rollout import ItemState, RunState
from .lifecycle import TenantState
from .tenancy import Tenancy

BUCKETS_S = (0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0)
_NOBODY = ""
_log = logging.getLogger(__name__)


class TenancyCollector(Collector):
    """Register it once for each `Tenancy` of a process: `REGISTRY.register(TenancyCollector(tenancy))`.

    Caches and connections are this process's own, read when it is scraped. What happened is counted from the events that this process
    tells, from now on. What the catalog counts is the same for all processes: six queries within `Tenancy(catalog_timeout_s=...)`;
    if it cannot be asked, `tenancy_catalog_up` is 0 and the rest is there.

    Args:
        reads_catalog: whether a scrape asks the catalog; let one process of many do it.
        names_tenants: label what happened, and the ten tenants with the most connections, with the tenant's key. Prometheus keeps a
            series for every combination of labels that there ever was: with 10,000 tenants these are hundreds of thousands. Off by default.
    """

    def __init__(self, tenancy: Tenancy, *, reads_catalog: bool = True, names_tenants: bool = False) -> None:
        self._tenancy, self._reads_catalog, self._names_tenants = tenancy, reads_catalog, names_tenants
        whose = ["tenant"] if names_tenants else []
        self._events = Counter("tenancy_events", "What happened, by the event's type.", ["event", *whose], registry=None)
        self._steps = Counter("tenancy_steps", "Steps of operations, by how they ended.", ["operation", "step", "outcome"], registry=None)
        self._step_s = _seconds("tenancy_step_seconds", "How long a step took that succeeded.", ["operation", "step"])
        self._tries = Counter("tenancy_migrations", "Tries at a tenant by runs.", ["server", "outcome"], registry=None)
        self._migration_s = _seconds("tenancy_migration_seconds", "How long a tenant's migration took.", ["way"])
        self._refused_s = _seconds("tenancy_refused_seconds", "How long a tenant's writes were refused.", ["operation"])
        tenancy.on(Event)(self._hear)

    def describe(self) -> list[Metric]:
        """Nothing: the registry then needs no database when it registers this."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures of this moment."""
        yield from self._cache()
        yield from self._connections()
        for counted in (self._events, self._steps, self._step_s, self._tries, self._migration_s, self._refused_s):
            yield from counted.collect()
        if self._reads_catalog:
            yield from self._catalog()

    # ── What happened ────────────────────────────────────────────────────

    def _hear(self, event: Event) -> None:
        self._events.labels(type(event).__name__, *([_tenant_of(event)] if self._names_tenants else [])).inc()
        match event:
            case StepFinished():
                self._steps.labels(event.operation, event.step, "done").inc()
                self._step_s.labels(event.operation, event.step).observe(event.seconds)
            case StepFailed():
                self._steps.labels(event.operation, event.step, "failed").inc()
            case TenantMigrated():
                self._tries.labels(event.server, "migrated").inc()
                self._migration_s.labels(event.way or "none").observe(event.seconds)
            case MigrationFailed():
                self._tries.labels(event.server, "failed").inc()
            case TenantQuarantined():
                self._tries.labels(event.server, "quarantined").inc()
            case TenantMoved():
                self._refused_s.labels("move").observe(event.refused_s)
            case TenantRestored():
                self._refused_s.labels("restore").observe(event.refused_s)

    # ── This process ─────────────────────────────────────────────────────

    def _cache(self) -> Iterator[Metric]:
        figures = asdict(self._tenancy.cache_stats())
        yield GaugeMetricFamily("tenancy_cache_entries", "Answers of the catalog that are kept.", value=figures.pop("entries"))
        for name, count in figures.items():
            yield CounterMetricFamily(f"tenancy_cache_{name}", f"Look-ups of tenants: {name}.", value=count)

    def _connections(self) -> Iterator[Metric]:
        now = GaugeMetricFamily("tenancy_connections", "Connections to a server, lent or idle.", labels=["server", "state"])
        limit = _gauge("tenancy_connections_limit", "This process's share of a server.")
        waiting = _gauge("tenancy_connections_waiting", "Callers in the queue for a connection.")
        waits = CounterMetricFamily("tenancy_connection_waits", "Callers that had to queue.", labels=["server"])
        waited = CounterMetricFamily("tenancy_connection_wait_seconds", "How long they queued.", labels=["server"])
        timeouts = CounterMetricFamily("tenancy_connection_timeouts", "Callers that got none in time.", labels=["server"])
        top = GaugeMetricFamily("tenancy_tenant_connections", "Connections of those with the most.", labels=["server", "tenant"])
        for it in self._tenancy.connections():
            now.add_metric([it.server, "lent"], it.lent)
            now.add_metric([it.server, "idle"], it.idle)
            limit.add_metric([it.server], it.limit)
            waiting.add_metric([it.server], it.waiting)
            waits.add_metric([it.server], it.waits)
            waited.add_metric([it.server], it.waited_s)
            timeouts.add_metric([it.server], it.timeouts)
            for held in it.tenants:
                top.add_metric([it.server, held.tenant], held.open)
        yield from (now, limit, waiting, waits, waited, timeouts, *([top] if self._names_tenants else []))

    # ── The catalog ──────────────────────────────────────────────────────

    def _catalog(self) -> Iterator[Metric]:
        try:
            found = self._tenancy.census()
        except (TenancyError, SQLAlchemyError, TimeoutError):
            _log.warning("The catalog could not be counted for a scrape", exc_info=True)
            found = None
        yield GaugeMetricFamily("tenancy_catalog_up", "Whether the catalog answered in time.", value=found is not None)
        if found is not None:
            yield from _counts(found)


def _counts(found: Census) -> Iterator[Metric]:
    tenants = GaugeMetricFamily("tenancy_tenants", "Tenants by server and state.", labels=["server", "state"])
    behind = _gauge("tenancy_tenants_behind", "Tenants that a migration of the fleet would take.")
    behind_by_server: dict[str, int] = {}
    for each in found.tenants:
        server = each.server or _NOBODY
        behind_by_server[server] = behind_by_server.get(server, 0) + each.behind
    servers = behind_by_server.keys() | {it.server for it in found.spares}
    counted = {(each.server or _NOBODY, each.state): each.tenants for each in found.tenants}
    for server in sorted(servers):
        behind.add_metric([server], behind_by_server.get(server, 0))
        for state in TenantState:
            if state is not TenantState.DELETED:
                tenants.add_metric([server, state], counted.get((server, state), 0))
    unfinished = GaugeMetricFamily("tenancy_operations_unfinished", "Operations wished for or interrupted.", labels=["operation"])
    for kind, count in sorted(found.unfinished.items()):
        unfinished.add_metric([kind], count)
    spares = GaugeMetricFamily("tenancy_spares", "Spare databases of the warm pool.", labels=["server", "state"])
    for it in found.spares:
        for name, count in (("ready", it.ready), ("making", it.making), ("outdated", it.outdated)):
            spares.add_metric([it.server, name], count)
    yield from (tenants, behind, unfinished, spares)
    run = found.run
    yield GaugeMetricFamily(
        "tenancy_run_running", "Whether a run over the fleet goes on.", value=run is not None and run.state is RunState.RUNNING
    )
    if run is not None:
        progress = GaugeMetricFamily("tenancy_run_tenants", "Tenants of the newest run, by their state in it.", labels=["state"])
        for item in ItemState:
            progress.add_metric([item], run.tenants.get(item, 0))
        yield progress


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["server"])


def _seconds(name: str, text: str, labels: list[str]) -> Histogram:
    return Histogram(name, text, labels, buckets=BUCKETS_S, registry=None)


def _tenant_of(event: Event) -> str:
    """The key of the tenant that an event is about, empty where it is about none."""
    tenant = getattr(event, "tenant", None)
    return str(getattr(event, "key", _NOBODY) if tenant is None else tenant.key)
