from __future__ import annotations

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from roomtone_tenancy import Server, TenantState, errors
from roomtone_tenancy.models import TenantRow


@pytest.fixture
def tenancy(site):
    return site.tenancy()


class Statements:
    def __init__(self, engine):
        self.count = 0
        event.listen(engine, "before_cursor_execute", self)

    def __call__(self, *arguments):
        self.count += 1


def test_registering_is_part_of_the_hosts_transaction(site, tenancy):
    with Session(site.catalog) as session:
        tenancy.register(session, "acme", domains=["acme.test"])
        session.rollback()

    assert not tenancy.exists("acme")
    assert tenancy.pending() == []
    with pytest.raises(errors.UnknownHost):
        tenancy.resolve("acme.test")


def test_a_taken_key_or_host_leaves_the_hosts_transaction_usable(site, tenancy):
    site.register(tenancy, "acme", domains=["acme.test"])

    with Session(site.catalog) as session, session.begin():
        with pytest.raises(errors.TenantExists):
            tenancy.register(session, "acme")
        with pytest.raises(errors.DomainTaken) as caught:
            tenancy.register(session, "other", domains=["ACME.test."])
        tenancy.register(session, "third")

    assert caught.value.host == "acme.test"
    assert [tenant.key for tenant in tenancy.tenants()] == ["acme", "third"]


def test_a_bad_key_is_refused_before_anything_is_written(site, tenancy):
    with pytest.raises(errors.BadKey):
        site.register(tenancy, "../acme")

    assert tenancy.tenants() == []


def test_names_on_the_server_say_nothing_of_the_tenant(site, tenancy):
    tenant = site.register(tenancy, "acme")

    assert tenant.database.startswith("rt_")
    assert "acme" not in tenant.database


@pytest.mark.parametrize("host", ["acme.test", "ACME.TEST:8080", "acme.test.", "www.acme.test"])
def test_every_spelling_of_a_tenants_hosts_resolves(site, tenancy, host):
    site.register(tenancy, "acme", domains=["acme.test", "www.acme.test"])

    tenant = tenancy.resolve(host)

    assert (tenant.key, tenant.domains) == ("acme", ("acme.test", "www.acme.test"))


@pytest.mark.parametrize("host", ["", "nobody.test", "a b", "x" * 300, "a.test, acme.test", "test", "sub.acme.test"])
def test_a_host_of_nobody_is_unknown(site, tenancy, host):
    site.register(tenancy, "acme", domains=["acme.test"])

    with pytest.raises(errors.UnknownHost) as caught:
        tenancy.resolve(host)

    assert caught.value.host in (host, host.lower())


def test_known_and_unknown_hosts_cost_one_look_at_the_catalog(site):
    tenancy = site.tenancy(cache_ttl_s=600, listen=False)  # what was announced before may be heard at any time
    site.make(tenancy, "acme", domains=["acme.test"])
    for host in ("acme.test", "nobody.test"):
        _try(tenancy, host)
    statements = Statements(site.engines[1])

    for _ in range(5):
        _try(tenancy, "acme.test")
        _try(tenancy, "nobody.test")

    assert statements.count == 0


def _try(tenancy, host):
    try:
        return tenancy.resolve(host).key
    except errors.UnknownHost:
        return None


def test_a_change_is_seen_at_once_here_and_after_the_time_to_live_by_those_who_do_not_listen(site):
    here, elsewhere, quick = site.tenancy(), site.tenancy(cache_ttl_s=3600, listen=False), site.tenancy(cache_ttl_s=0, listen=False)
    before = [_try(each, "acme.test") for each in (here, elsewhere, quick)]

    site.register(here, "acme", domains=["acme.test"])

    assert before == [None, None, None]
    assert [_try(each, "acme.test") for each in (here, elsewhere, quick)] == ["acme", None, "acme"]


def test_a_moved_domain_is_seen_at_once_under_both_tenants(site, tenancy):
    site.register(tenancy, "a", domains=["a.test"])
    site.change(tenancy.add_domain, "a", "second.test", primary=True)

    tenant = tenancy.resolve("second.test")

    assert tenant.domains == ("second.test", "a.test")
    assert tenancy.tenant("a") == tenant


def test_a_domain_of_another_tenant_cannot_be_added(site, tenancy):
    site.register(tenancy, "a", domains=["a.test"])
    site.register(tenancy, "b")

    with pytest.raises(errors.DomainTaken):
        site.change(tenancy.add_domain, "b", "A.test")


def test_adding_a_domain_again_changes_nothing(site, tenancy):
    site.register(tenancy, "a", domains=["a.test"])

    assert site.change(tenancy.add_domain, "a", "a.test").domains == ("a.test",)


def test_metadata_is_merged_and_cannot_be_changed_by_its_reader(site, tenancy):
    site.register(tenancy, "a", metadata={"plan": "pro", "size": 1})

    tenant = site.change(tenancy.update_metadata, "a", size=2)

    assert dict(tenancy.tenant("a").metadata) == dict(tenant.metadata) == {"plan": "pro", "size": 2}
    with pytest.raises(TypeError):
        tenant.metadata["plan"] = "free"


def test_tenants_go_where_most_room_is_and_nowhere_when_all_is_full(site):
    servers = [Server("small", site.server_url, capacity=1), Server("large", site.server_url, capacity=2)]
    tenancy = site.tenancy(servers=servers)
    placed = [site.register(tenancy, key).server for key in ("a", "b", "c")]

    with pytest.raises(errors.NoServer):
        site.register(tenancy, "d")

    assert sorted(placed) == ["large", "large", "small"]


def test_a_tenant_on_a_server_that_is_not_configured_is_an_error(site):
    tenancy = site.tenancy()
    site.register(tenancy, "a")
    renamed = site.tenancy(servers=[Server("renamed", site.server_url)])

    with pytest.raises(errors.NoServer) as caught:
        renamed.provision("a")

    assert caught.value.wanted == "main"


def test_moves_are_logged_with_their_reason_raise_the_epoch_and_happen_once(site, tenancy):
    before = site.make(tenancy, "a")
    for _ in range(2):
        site.change(tenancy.suspend, "a", reason="unpaid", actor="billing")
    site.change(tenancy.resume, "a", reason="paid")

    history = tenancy.history("a")

    assert [(entry.before, entry.after, entry.reason, entry.actor) for entry in history[-2:]] == [
        (TenantState.ACTIVE, TenantState.SUSPENDED, "unpaid", "billing"),
        (TenantState.SUSPENDED, TenantState.ACTIVE, "paid", "system"),
    ]
    assert [entry.after for entry in history] == ["requested", "provisioning", "active", "suspended", "active"]
    assert tenancy.tenant("a").epoch == before.epoch + 2


def test_a_move_that_the_lifecycle_lacks_is_refused(site, tenancy):
    site.register(tenancy, "a")

    with pytest.raises(errors.IllegalMove):
        site.change(tenancy.suspend, "a", reason="x")
    with pytest.raises(errors.UnknownTenant):
        site.change(tenancy.suspend, "nobody", reason="x")


def test_a_naive_time_never_reaches_the_catalog(site):
    with Session(site.catalog) as session, pytest.raises(Exception, match="naive"):
        session.scalars(select(TenantRow).where(TenantRow.created_at < __import__("datetime").datetime(2026, 1, 1))).all()
