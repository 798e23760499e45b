"""Tenants and spares that are made before, while and after a run goes over the fleet."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from roomtone_tenancy.fleet.rollout import Rollout


def spare_databases(tenancy):
    return tenancy.spares.databases()


def test_no_spare_of_the_old_revision_is_there_to_be_taken_once_the_first_tenant_is_migrated(site, make_fleet, static):
    old = make_fleet(2)
    old.spares.refill(2)
    outdated = spare_databases(old)
    site.add_revision("r2", static)
    tenancy, seen = site.tenancy(), []

    tenancy.fleet.run(Rollout(parallel=1), on_tenant=lambda key, error: seen.append((tenancy.spares.ready(), old.spares.ready())))

    assert seen == [(2, 0)] * 2
    assert not outdated & {tenancy.tenant(f"t00{number}").database for number in range(2)}


def test_what_a_run_replaced_is_dropped_only_where_that_holds_nobody_up(site, make_fleet, static):
    old = make_fleet(1)
    old.spares.refill(1)
    replaced = spare_databases(old) | {old._templates.current("main")}
    site.add_revision("r2", static)
    tenancy = site.tenancy()

    def left():
        return replaced & (spare_databases(tenancy) | tenancy._templates.names())

    busy = replace(tenancy.fleet, backlog_max_bytes=-1).run()
    after_busy, ready = left(), tenancy.spares.ready()
    busy_again = replace(tenancy.fleet, backlog_max_bytes=-1).run()
    after_again = left(), tenancy.spares.ready()
    if site.kind == "postgresql":
        with site.admin() as admin:
            admin.execute("CHECKPOINT")
    tenancy.fleet.run()

    assert (busy.is_success, after_busy, ready) == (True, replaced, 1)
    assert (busy_again.id, after_again) == (None, (replaced, 1))  # nor are more spares made than there were
    assert (left(), tenancy.spares.ready(), tenancy.orphans()) == (set(), 1, [])


def test_tenants_made_by_the_same_code_while_a_run_goes_on_are_at_the_head(site, make_fleet, static, columns):
    old = make_fleet(3)
    old.spares.refill(2)
    site.add_revision("r2", static)
    runner, creator = site.tenancy(), site.tenancy(cache_ttl_s=0)
    begin = threading.Barrier(2)

    def create():
        begin.wait(60)
        for number in range(4):
            site.make(creator, f"new{number}")

    with ThreadPoolExecutor(1) as threads:
        created = threads.submit(create)
        begin.wait(60)
        runner.fleet.run(Rollout(parallel=2))
        created.result(120)

    assert {(it.revision, "label" in columns(creator, it.key)) for it in creator.tenants()} == {("r2", True)}
    assert len(creator.tenants()) == 7
    assert creator.fleet.verify().is_clean


@pytest.mark.parametrize("is_spare", [False, True])
def test_a_tenant_that_older_code_makes_while_a_run_goes_on_is_taken_by_it_too(site, make_fleet, static, columns, is_spare):
    old = make_fleet(2)
    old.spares.refill(int(is_spare))
    site.add_revision("r2", static)
    tenancy, told = site.tenancy(), []

    def tell(key, error):
        if not told:
            site.make(old, "late")
        told.append(key)

    status = tenancy.fleet.run(Rollout(parallel=1), on_tenant=tell)

    assert (status.is_success, told) == (True, ["t000", "t001", "late"])
    assert "label" in columns(tenancy, "late")
    assert tenancy.fleet.plan().tenants == ()
