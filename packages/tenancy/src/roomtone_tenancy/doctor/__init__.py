"""Looks for what needs attention on servers, in the catalog and in databases, and says how to mend it."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..domains import Domains
from ..key import PREFIX
from ..life.workshop import Workshop
from ..migrate import Fleet
from ..server import PoolLimits
from ..servers import Servers
from ..sites import Site
from ..templates import Templates
from .catalog import CatalogChecks
from .expected import Expected, expected
from .findings import Diagnosis, Finding, Fix, Severity, Thresholds, Where
from .inside import InsideChecks
from .servers import ServerChecks

__all__ = ["Diagnosis", "Doctor", "Finding", "Fix", "Severity", "Thresholds", "Where"]


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """See `Tenancy.doctor`.

    Args:
        sample: databases of each server that are opened, chosen anew at each visit; None opens all.
    """

    fleet: Fleet
    shop: Workshop
    servers: Servers
    domains: Domains
    limits: PoolLimits
    thresholds: Thresholds
    sample: int | None

    def visit(self) -> Diagnosis:
        """All checks."""
        began, tally = time.monotonic(), _Tally(per_check=self.thresholds.per_check)
        tally.add(self._catalog())
        known, tenants = self.fleet.databases(), expected(self.fleet.of.catalog)
        for name, site in self.fleet.of.sites.by_name.items():
            tally.add(self._server(site, tenants.get(name, ()), known, tally))
        findings = sorted(tally.findings, key=lambda it: it.severity is Severity.WARNING)
        count = sum(map(len, tenants.values()))
        return Diagnosis(
            findings=tuple(findings), more=tally.more, looked_into=tally.looked_into, tenants=count, seconds=time.monotonic() - began
        )

    def _catalog(self) -> Iterator[Finding]:
        checks = CatalogChecks(fleet=self.fleet, shop=self.shop, servers=self.servers, domains=self.domains, thresholds=self.thresholds)
        for check in (
            checks.nowhere, checks.full, checks.unfinished, checks.doors, checks.stopped, checks.failed, checks.behind,
            checks.templates, checks.spares, checks.secrets, checks.claims, checks.retired, checks.deletions,
        ):  # fmt: skip
            yield from check()

    def _server(self, site: Site, tenants: Sequence[Expected], known: set[str], tally: _Tally) -> Iterator[Finding]:
        checks = ServerChecks(fleet=self.fleet, site=site, thresholds=self.thresholds)
        try:
            names = checks.names()
            found = list(self._postgresql(site, tenants, checks) if site.provisioner.has_roles else self._folder(site, tenants, checks))
        except Exception as error:  # noqa: BLE001 -- whatever one server answers, the others are looked at
            yield checks.unreachable(error)
            return
        lost = checks.missing(tenants, names)
        yield from checks.say_missing(lost)
        yield from found
        yield from checks.orphans(names, known)
        there = [it for it in tenants if it not in lost]
        chosen = there if self.sample is None else random.sample(there, min(self.sample, len(there)))
        for it in sorted(chosen, key=lambda it: it.key):
            tally.looked_into += 1
            yield from InsideChecks(fleet=self.fleet, site=site).of(it)

    def _postgresql(self, site: Site, tenants: Sequence[Expected], checks: ServerChecks) -> Iterator[Finding]:
        from ..provisioners.postgresql import connect  # needs psycopg
        from .postgresql import RightChecks, SettingChecks
        from .postgresql_facts import ask

        with connect(site.server.parsed) as admin:
            facts = ask(admin, f"{PREFIX}{self.fleet.of.registry.installation()}_")
        yield from SettingChecks(server=site.server, facts=facts, limits=self.limits, thresholds=self.thresholds).all()
        templates: Templates = self.fleet.of.templates
        yield from RightChecks(server=site.server, facts=facts, tenants=tenants, templates=sorted(templates.names())).all()
        yield from checks.inodes(checks.data_folder(facts.settings.get("data_directory")))

    def _folder(self, site: Site, tenants: Sequence[Expected], checks: ServerChecks) -> Iterator[Finding]:
        from .folder import FolderChecks

        folder = FolderChecks(site=site)
        yield from folder.modes(tenants)
        yield from checks.inodes(folder.path)


@dataclass(kw_only=True)
class _Tally:
    """What was found so far: of each check so many, the others counted."""

    per_check: int
    findings: list[Finding] = field(default_factory=list)
    more: dict[str, int] = field(default_factory=dict)
    looked_into: int = 0
    _seen: dict[str, int] = field(default_factory=dict)

    def add(self, findings: Iterable[Finding]) -> None:
        for it in findings:
            self._seen[it.check] = self._seen.get(it.check, 0) + 1
            if self._seen[it.check] <= self.per_check:
                self.findings.append(it)
            else:
                self.more[it.check] = self.more.get(it.check, 0) + 1
