"""Faults that the catalog shows: each is planted, found alone, and gone when its fix was pasted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from roomtone_tenancy import KeyRing, Server
from roomtone_tenancy.doctor import Severity, Thresholds, Where
from roomtone_tenancy.fleet.rollout import Rollout
from roomtone_tenancy.life.stores import FolderStore
from roomtone_tenancy.models import DomainClaimRow, ServerRow, SpareRow, TemplateRow, TenantRow

SECOND = """
    revision, down_revision, branch_labels, depends_on = "r2", "r1", None, None

    def upgrade():
        pass
"""


def checks(diagnosis):
    return [finding.check for finding in diagnosis.findings]


def change(site, row, **values):
    with Session(site.catalog) as session, session.begin():
        session.execute(update(row).values(values))


def fall_behind(site, _):
    site.add_revision("r2", SECOND)
    site.tenancy().spares.refill(1)  # which makes a new template: nothing but the tenant is behind


def fail(site, tenancy):
    fall_behind(site, tenancy)
    change(site, TenantRow, migration_error="no room")


def abandon(site, tenancy):
    """Begin a run that no process works on."""
    fall_behind(site, tenancy)
    fleet = site.tenancy().fleet
    fleet._runs.begin("r2", Rollout(), fleet.behind())


def stop(site, tenancy):
    abandon(site, tenancy)
    assert site.tenancy().fleet.stop()


def claim(site, tenancy):
    with Session(site.catalog) as session, session.begin():
        tenancy.domains.add(session, "a", "acme.example")
    change(site, DomainClaimRow, created_at=tenancy.tenant("a").created_at - timedelta(days=3))


def make_spares_old(site, tenancy):
    tenancy.spares.refill(1)
    change(site, SpareRow, revision="r0")


def retire(site, tenancy):
    tenancy.backups.create("a")
    tenancy.backups.restore("a", keep=timedelta(0))


PLANTS = {
    "unfinished": lambda site, tenancy: site.register(tenancy, "b"),
    "door": lambda site, _: change(site, TenantRow, door=None),
    "stopped": stop,
    "failed": fail,
    "behind": fall_behind,
    "template": lambda site, _: change(site, TemplateRow, revision="r0"),
    "spares": make_spares_old,
    "retired": retire,
    "deletion": lambda site, tenancy: site.change(tenancy.delete_later, "a", grace=timedelta(0), reason="left"),
}
ON_BOTH = ("door", "template", "spares", "retired")  # what their fixes do to a server


@pytest.fixture
def options(tmp_path):
    return {"backups": FolderStore(tmp_path / "backups"), "cache_ttl_s": 0}


@pytest.mark.parametrize(
    ("planted", "healthy"), [*((name, "sqlite") for name in PLANTS), *((name, "postgresql") for name in ON_BOTH)], indirect=["healthy"]
)
def test_a_planted_fault_is_found_alone_and_its_fix_ends_it(planted, healthy, options, run_on, apply):
    tenancy = healthy.tenancy(**options)
    healthy.make(tenancy, "a")
    PLANTS[planted](healthy, tenancy)
    found = healthy.tenancy(**options).doctor()

    apply(healthy, found.findings[0], run_on(healthy, **options), answers="a\n")

    assert checks(found) == [planted]
    assert all([found.findings[0].what, found.findings[0].why, found.findings[0].subject])
    assert healthy.tenancy(**options).doctor().is_well


def test_a_run_that_nobody_works_on_is_one_that_stopped(sqlite_site, run_on, apply):
    sqlite_site.make(sqlite_site.tenancy(), "a")
    abandon(sqlite_site, None)
    found = sqlite_site.tenancy().doctor()

    apply(sqlite_site, found.findings[0], run_on(sqlite_site))

    assert checks(found) == ["stopped"]
    assert sqlite_site.tenancy().doctor().is_well


def test_a_claim_that_waits_too_long_for_its_proof_is_found(sqlite_site, run_on, apply, monkeypatch):
    dns_lookup = pytest.importorskip("roomtone_tenancy.dns_lookup", reason="the extra 'dns' is not installed")
    tenancy = sqlite_site.tenancy()
    sqlite_site.make(tenancy, "a")
    claim(sqlite_site, tenancy)
    found, patient = tenancy.doctor(), tenancy.doctor(thresholds=Thresholds(claim_age=timedelta(days=4)))
    value = next(each.challenge.value for each in tenancy.domains.list("a") if each.challenge)
    monkeypatch.setattr(dns_lookup, "txt_values", lambda name: (value,))

    apply(sqlite_site, found.findings[0], run_on(sqlite_site))

    assert (checks(found), patient.is_well, tenancy.doctor().is_well) == (["domain"], True, True)
    assert "_roomtone-challenge.acme.example" in found.findings[0].why


def test_secrets_under_an_old_key_are_found_until_they_are_rotated(own_site, run_on, apply):
    own_site.make(own_site.tenancy(), "a")
    (old,) = own_site.keys.keys.items()
    rotated = KeyRing.generate("new")
    both = KeyRing({**rotated.keys, old[0]: old[1]}, current="new")
    found = own_site.tenancy(keys=both).doctor()

    apply(own_site, found.findings[0], run_on(own_site, keys=both))

    assert checks(found) == ["keys"]
    assert own_site.tenancy(keys=both).doctor().is_well


def test_servers_without_room_are_found_until_there_is_some(sqlite_site):
    servers = [Server("main", sqlite_site.server_url, capacity=1)]
    sqlite_site.make(sqlite_site.tenancy(servers=servers), "a")
    found = sqlite_site.tenancy(servers=servers).doctor()

    assert (checks(found), found.findings[0].severity, found.findings[0].fix.where) == (["full"], Severity.ERROR, Where.CODE)
    assert found.findings[0].fix.text == 'Server("main", url, capacity=2)'
    assert sqlite_site.tenancy(servers=[Server("main", sqlite_site.server_url, capacity=2)]).doctor().is_well


def test_tenants_on_a_server_that_nobody_knows_are_found(healthy, tmp_path):
    healthy.make(healthy.tenancy(), "a")
    change(healthy, ServerRow, name="gone")
    change(healthy, TenantRow, server="gone")
    change(healthy, TemplateRow, server="gone")
    found = healthy.tenancy().doctor()

    assert found.findings[0].check == "nowhere"
    assert found.findings[0].subject == "gone"
    assert healthy.tenancy(servers=[Server("gone", healthy.server_url)]).doctor().is_well


def test_work_that_goes_on_now_is_no_fault(healthy):
    tenancy, seen = healthy.tenancy(), []
    healthy.register(tenancy, "a")

    tenancy.provision("a", on_step=lambda _: seen.append(checks(tenancy.doctor())))

    assert seen
    assert not any(seen)


def test_of_many_the_first_are_named_and_the_others_counted(sqlite_site):
    tenancy = sqlite_site.tenancy()
    for number in range(5):
        sqlite_site.register(tenancy, f"t{number}")
    found = tenancy.doctor(thresholds=Thresholds(per_check=2))

    assert [finding.subject for finding in found.findings] == ["t0", "t1"]
    assert found.more == {"unfinished": 3}
    assert found.to_json()["more"] == {"unfinished": 3}
