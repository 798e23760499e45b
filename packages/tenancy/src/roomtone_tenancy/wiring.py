"""Puts together what one `Tenancy` is made of: the only place that knows who needs whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Engine, MetaData

from .context import Scope
from .credentials import Credentials
from .deletion import Deletion
from .domains import Domains
from .engines import ServerEngines
from .events import Events
from .key_providers import KeyProvider
from .lease import Leases
from .life.scrubs import Scrub, named
from .life.stores import Store
from .life.tools import Tools
from .life.workshop import Workshop
from .lookups import Lookups
from .migrate import Fleet
from .operations import Operations
from .placement import Placement
from .pool import Budgets
from .processes import Heart
from .provisioners import provisioner_for
from .provisioning import Provisioning, Seed
from .registry import Registry
from .reserved import Reserved
from .revisions import Revisions
from .server import PoolLimits, Server, ServerState
from .servers import Servers
from .sites import Site, Sites
from .spans import OFF, Spans
from .spares import Spares
from .templates import Templates
from .traced import TracedRegistry
from .vault import Vault


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What the facade's verbs call. `provisioning` leads to the parts that it is made of itself."""

    budgets: Budgets
    heart: Heart
    lookups: Lookups
    registry: Registry
    servers: Servers
    spares: Spares
    domains: Domains
    provisioning: Provisioning
    deletion: Deletion
    fleet: Fleet
    workshop: Workshop


def assemble(
    catalog: Engine,
    *,
    servers: Sequence[Server],
    migrations: Path,
    metadata: MetaData | None,
    keys: KeyProvider,
    clock: Callable[[], datetime],
    limits: PoolLimits,
    placement: Placement,
    reserved: Reserved,
    seed: Seed | None,
    spares: int,
    lookups: Lookups,
    lease_s: float,
    backups: Store | None,
    tools: Tools,
    scrubs: Sequence[Scrub],
    spans: Spans,
    sql_comments: bool,
) -> Parts:
    """The parts, from what `Tenancy` was given."""
    if len({server.name for server in servers}) < len(servers):
        raise ValueError("Two servers have one name: give each its own.")
    vault, events, budgets = Vault(keys), Events(), Budgets(limits)
    heart = Heart(catalog=catalog, clock=clock, budgets=budgets, limits=limits)
    known = Servers(lookups, given=servers, vault=vault, clock=clock, placement=placement)
    registry_of: Callable[..., Registry] = Registry if spans is OFF else partial(TracedRegistry, spans=spans)
    registry = registry_of(catalog=catalog, lookups=lookups, servers=known, clock=clock, events=events, reserved=reserved)
    leases = Leases(catalog=catalog, clock=clock, ttl_s=lease_s)
    credentials = Credentials(catalog=catalog, vault=vault, clock=clock)
    revisions = Revisions(folder=migrations, metadata=metadata)
    templates = Templates(catalog=catalog, leases=leases, revisions=revisions, clock=clock, installation=registry.installation)
    sites = Sites(
        find=known.find,
        names=known.names,
        make=lambda server: Site(
            server=server,
            provisioner=provisioner_for(server),
            engines=ServerEngines(
                server,
                limits,
                lambda tenant: registry.usable(tenant).state,
                budgets.of(server.name),
                spans=spans,
                sql_comments=sql_comments,
            ),
        ),
    )
    pool = Spares(
        catalog=catalog,
        leases=leases,
        credentials=credentials,
        templates=templates,
        sites=sites,
        events=events,
        clock=clock,
        target=spares,
        names=lambda: [each.name for each in known.list() if each.state is ServerState.ACCEPTING and each.source != "nowhere"],
    )
    provisioning = Provisioning(
        catalog=catalog,
        registry=registry,
        operations=Operations(catalog=catalog, clock=clock, events=events, spans=spans),
        leases=leases,
        credentials=credentials,
        templates=templates,
        revisions=revisions,
        sites=sites,
        spares=pool,
        events=events,
        scope=Scope(),
        clock=clock,
        seed=seed,
        spans=spans,
    )
    workshop = Workshop(of=provisioning, vault=vault, store=backups, tools=tools, scrubs=named(scrubs))
    return Parts(
        budgets=budgets,
        heart=heart,
        lookups=lookups,
        registry=registry,
        servers=known,
        spares=pool,
        domains=Domains(registry=registry, clock=clock),
        provisioning=provisioning,
        deletion=Deletion(made_by=provisioning, shop=workshop),
        fleet=Fleet(of=provisioning),
        workshop=workshop,
    )
