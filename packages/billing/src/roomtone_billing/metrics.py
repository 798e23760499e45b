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
        for name, text, states in (
            ("inbox_events", "Events of Stripe by state.", backlog.inbox),
            ("outbox_events", "Domain events by state.", backlog.outbox),
            ("metered_uses", "Uses for Stripe's meters by state.", backlog.metered),
        ):
            family = GaugeMetricFamily(f"billing_{name}", text, labels=["state"])
            for state, count in sorted(states.items()):
                family.add_metric([state], count)
            yield family
        for name, text, figure in (
            ("inbox_age_seconds", "Age of the oldest event of Stripe that is not dealt with.", backlog.inbox_age_s),
            ("outbox_age_seconds", "Age of the oldest domain event that is not handed out.", backlog.outbox_age_s),
            ("metered_age_seconds", "Age of the oldest use that no meter was told of.", backlog.metered_age_s),
            ("closing_age_seconds", "How long the first account waits to be closed at Stripe.", backlog.closing_age_s),
            ("sweep_age_seconds", "How long the first account waits for its sweep.", backlog.sweep_age_s),
            ("dirty_accounts", "Accounts to be fetched.", backlog.dirty),
            ("dirty_sellers", "Connected accounts to be fetched.", backlog.sellers),
            ("failing_accounts", "Accounts and connected accounts whose last fetch failed.", backlog.failing),
            ("overdue_accounts", "Accounts whose phase may have changed, and whom nobody swept.", backlog.overdue),
            ("closing_accounts", "Accounts to be closed at Stripe.", backlog.closing),
        ):
            yield GaugeMetricFamily(f"billing_{name}", text, value=figure)
        if self._counts_violations:
            yield self._violations()

    def _violations(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily("billing_violations", "Rows for which an invariant does not hold.", labels=["invariant"])
        counts = Counter(one.invariant for one in self._billing.upkeep.violations())
        for invariant in INVARIANTS:
            name = invariant.__name__.replace("_", " ")
            family.add_metric([name], counts[name])
        return family
