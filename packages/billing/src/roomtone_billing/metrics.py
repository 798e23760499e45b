"""The backlog and the invariants for Prometheus; needs the extra `prometheus`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from .billing import Billing
from .invariants import INVARIANTS


class BillingCollector(Collector):
    """Register it: `REGISTRY.register(BillingCollector(billing))`. A scrape is a handful of queries.

    Args:
        counts_violations: also try the invariants, which reads every account at each scrape.
    """

    def __init__(self, billing: Billing, *, counts_violations: bool = False) -> None:
        self._billing, self._counts_violations = billing, counts_violations

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing: the registry then needs no database when it registers this."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The figures of this moment."""
        backlog = self._billing.upkeep.backlog()
        for name, states in (("inbox", backlog.inbox), ("outbox", backlog.outbox)):
            family = GaugeMetricFamily(f"billing_{name}_events", f"Events in the {name} by state.", labels=["state"])
            for state, count in sorted(states.items()):
                family.add_metric([state], count)
            yield family
        for name, text, value in (
            ("inbox_age_seconds", "Age of the oldest event of Stripe that is not dealt with.", backlog.inbox_age_s),
            ("outbox_age_seconds", "Age of the oldest domain event that is not handed out.", backlog.outbox_age_s),
            ("sweep_age_seconds", "How long the first account waits for its sweep.", backlog.sweep_age_s),
            ("dirty_accounts", "Accounts to be fetched.", backlog.dirty),
            ("failing_accounts", "Accounts whose last fetch failed.", backlog.failing),
        ):
            yield GaugeMetricFamily(f"billing_{name}", text, value=value)
        if self._counts_violations:
            yield self._violations()

    def _violations(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily("billing_violations", "Rows for which an invariant does not hold.", labels=["invariant"])
        counts = Counter(one.invariant for one in self._billing.upkeep.violations())
        for invariant in INVARIANTS:
            name = invariant.__name__.replace("_", " ")
            family.add_metric([name], counts[name])
        return family
