from __future__ import annotations

import threading

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import text

from roomtone_tenancy import PoolLimits, Tenancy, errors
from roomtone_tenancy.metrics import TenancyCollector

SECOND = """
    from alembic import op

    revision, down_revision, branch_labels, depends_on = "r2", "r1", None, None

    def upgrade():
        op.execute("CREATE TABLE room (id int)")
"""


@pytest.fixture
def scraped():
    """For a Tenancy and options: a registry, with a function that reads one sample."""

    def scraped(tenancy, **options):
        registry = CollectorRegistry()
        registry.register(TenancyCollector(tenancy, **options))
        return lambda name, **labels: registry.get_sample_value(f"tenancy_{name}", labels)

    return scraped


def test_the_cache_says_what_it_did(sqlite_site, scraped):
    tenancy = sqlite_site.tenancy()
    sqlite_site.make(tenancy, "acme")
    other = sqlite_site.tenancy()
    read = scraped(other)

    for _ in range(3):
        other.tenant("acme")

    assert (read("cache_misses_total"), read("cache_hits_total"), read("cache_entries")) == (1, 2, 1)
    assert read("cache_stale_total") == 0


def test_connections_are_counted_lent_and_idle_within_their_limit(site, scraped):
    tenancy = site.tenancy(pools=PoolLimits(per_server=7))
    site.make(tenancy, "acme")
    read = scraped(tenancy)

    with tenancy.use("acme"), tenancy.session() as session:
        session.execute(text("SELECT 1"))
        lent = read("connections", server="main", state="lent")

    assert (lent, read("connections", server="main", state="lent")) == (1, 0)
    assert read("connections", server="main", state="idle") == 1
    assert read("connections_limit", server="main") == 7


def test_who_waits_and_who_waits_in_vain_is_counted(sqlite_site, scraped):
    tenancy = sqlite_site.tenancy(pools=PoolLimits(per_tenant=1, wait_s=0))
    sqlite_site.make(tenancy, "acme")
    read = scraped(tenancy)

    with tenancy.use("acme"), tenancy.session() as first, tenancy.session() as second:
        first.execute(text("SELECT 1"))
        with pytest.raises(errors.BudgetExhausted):
            second.execute(text("SELECT 1"))

    assert (read("connection_waits_total", server="main"), read("connection_timeouts_total", server="main")) == (1, 1)
    assert read("connections_waiting", server="main") == 0


def test_a_wait_that_ends_well_is_no_timeout(sqlite_site, scraped):
    tenancy = sqlite_site.tenancy(pools=PoolLimits(per_tenant=1, wait_s=60))
    sqlite_site.make(tenancy, "acme")
    read = scraped(tenancy)

    def work():
        with tenancy.use("acme"), tenancy.session() as session:
            session.execute(text("SELECT 1"))

    with tenancy.use("acme"), tenancy.session() as session:
        session.execute(text("SELECT 1"))
        thread = threading.Thread(target=work)
        thread.start()
        while read("connections_waiting", server="main") != 1:
            assert thread.is_alive()
    thread.join()

    assert (read("connection_waits_total", server="main"), read("connection_timeouts_total", server="main")) == (1, 0)
    assert read("connection_wait_seconds_total", server="main") > 0


def test_steps_are_counted_by_their_end_and_timed(site, scraped):
    def seed(session, tenant):
        if tenant.key == "broken":
            raise OSError("no")

    tenancy = site.tenancy(seed=seed)
    read = scraped(tenancy)

    site.make(tenancy, "acme")
    with pytest.raises(errors.ProvisioningFailed):
        site.make(tenancy, "broken")

    assert read("steps_total", operation="provision", step="seed", outcome="done") == 1
    assert read("steps_total", operation="provision", step="seed", outcome="failed") == 1
    assert read("step_seconds_count", operation="provision", step="schema") == 2
    assert read("events_total", event="TenantActivated") == 1
    assert read("operations_unfinished", operation="provision") == 1


def test_a_run_is_counted_as_it_ends(sqlite_site, scraped):
    old = sqlite_site.tenancy()
    for key in ("acme", "globex"):
        sqlite_site.make(old, key)
    sqlite_site.add_revision("r2", SECOND)
    tenancy = sqlite_site.tenancy()
    read = scraped(tenancy)
    before = (read("tenants_behind", server="main"), read("run_running"), read("run_tenants", state="done"))

    tenancy.fleet.run()

    assert before == (2, 0, None)
    assert (read("tenants_behind", server="main"), read("run_running"), read("run_tenants", state="done")) == (0, 0, 2)
    assert read("run_tenants", state="quarantined") == 0
    assert read("migrations_total", server="main", outcome="migrated") == 2


def test_tenants_and_spares_are_counted_by_server_and_state(site, scraped):
    tenancy = site.tenancy()
    for key in ("a", "b", "c"):
        site.make(tenancy, key)
    site.change(tenancy.suspend, "c", reason="test")
    tenancy.spares.refill(1)
    read = scraped(tenancy)

    assert [read("tenants", server="main", state=state) for state in ("active", "suspended", "read_only")] == [2, 1, 0]
    assert [read("spares", server="main", state=state) for state in ("ready", "making", "outdated")] == [1, 0, 0]
    assert read("catalog_up") == 1


def test_no_tenant_is_named_unless_it_was_asked_for(sqlite_site, scraped):
    tenancy = sqlite_site.tenancy()
    read, read_named = scraped(tenancy), scraped(tenancy, names_tenants=True)

    sqlite_site.make(tenancy, "acme")
    with tenancy.use("acme"), tenancy.session() as session:
        session.execute(text("SELECT 1"))

    assert (read("events_total", event="TenantActivated"), read("tenant_connections", server="main", tenant="acme")) == (1, None)
    assert read_named("events_total", event="TenantActivated", tenant="acme") == 1
    assert read_named("tenant_connections", server="main", tenant="acme") == 1


def test_a_catalog_that_cannot_be_asked_takes_nothing_else_from_a_scrape(sqlite_site, scraped, caplog):
    tenancy = sqlite_site.tenancy()
    sqlite_site.make(tenancy, "acme")
    read = scraped(tenancy)
    tenancy.tenant("acme")
    with sqlite_site.catalog.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE tenancy_runs RENAME TO elsewhere")

    assert (read("catalog_up"), read("tenants", server="main", state="active")) == (0, None)
    assert read("events_total", event="TenantActivated") is None  # it was before the collector
    assert read("cache_entries") == 1
    assert "could not be counted" in caplog.text


def test_the_catalog_is_asked_nothing_until_it_is_scraped_nor_where_another_process_does(sqlite_site):
    class Silent(Tenancy):
        def census(self):
            raise AssertionError("nobody asked")

    silent = Silent(sqlite_site.engine(), migrations=sqlite_site.migrations, keys=sqlite_site.keys)
    registry = CollectorRegistry()
    registry.register(TenancyCollector(silent, reads_catalog=False))

    assert b"tenancy_cache_entries 0.0" in generate_latest(registry)
    silent.dispose()
