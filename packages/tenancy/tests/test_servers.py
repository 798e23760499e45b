from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from roomtone_tenancy import Server, ServerState, errors
from roomtone_tenancy.models import ServerRow


@pytest.fixture
def order(site):
    """Call a verb of `tenancy.servers` in a transaction of its own."""

    def order(verb, *arguments):
        with Session(site.catalog) as session, session.begin():
            verb(session, *arguments)

    return order


def where(status):
    return [(each.name, each.state, each.tenants, each.source) for each in status]


def test_a_server_in_code_needs_nothing_more(site):
    tenancy = site.tenancy(servers=[Server("main", site.server_url, capacity=7, regions=("eu",))])

    before = tenancy.servers.list()
    site.register(tenancy, "a")

    assert where(before) == [("main", "accepting", 0, "code")]
    assert where(tenancy.servers.list()) == [("main", "accepting", 1, "code")]
    assert (before[0].capacity, before[0].regions) == (7, ("eu",))


def test_a_server_added_to_the_catalog_serves_processes_that_run_already(site, order):
    here, elsewhere = site.tenancy(servers=[]), site.tenancy(servers=[])
    with pytest.raises(errors.NoServer):
        site.register(elsewhere, "a")

    order(here.servers.add, Server("late", site.server_url, capacity=5, regions=("eu", "us")))

    site.make(elsewhere, "a")
    with elsewhere.use("a"), elsewhere.session() as session:
        assert session.scalar(text("SELECT count(*) FROM artist")) == 0
    assert where(elsewhere.servers.list()) == [("late", "accepting", 1, "catalog")]
    assert elsewhere.orphans() == []


def test_an_address_in_the_catalog_is_sealed_and_bound_to_its_server(site, order):
    tenancy = site.tenancy(servers=[])
    order(tenancy.servers.add, Server("a", site.server_url))
    order(tenancy.servers.add, Server("b", "sqlite:////nowhere"))

    with Session(site.catalog) as session, session.begin():
        rows = {row.name: row for row in session.scalars(select(ServerRow))}
        secrets = [row.secret for row in rows.values()]
        session.execute(update(ServerRow).where(ServerRow.name == "b").values(secret=rows["a"].secret, key_id=rows["a"].key_id))

    assert not any(site.server_url.encode() in secret or b"nowhere" in secret for secret in secrets)
    with pytest.raises(errors.CatalogUnavailable) as caught:
        tenancy.servers.find("b")
    assert isinstance(caught.value.__cause__, errors.Undecryptable)


def test_a_name_in_use_cannot_be_added_and_the_transaction_goes_on(site, order):
    tenancy = site.tenancy()
    order(tenancy.servers.add, Server("a", site.server_url))

    with Session(site.catalog) as session, session.begin():
        for name in ("a", "main"):
            with pytest.raises(errors.ServerExists) as caught:
                tenancy.servers.add(session, Server(name, site.server_url))
            assert caught.value.name == name
        tenancy.servers.add(session, Server("b", site.server_url))

    assert [each.name for each in tenancy.servers.list()] == ["a", "b", "main"]


def test_only_servers_of_the_catalog_are_changed_there(site, order):
    tenancy = site.tenancy()

    with pytest.raises(ValueError, match="change it there"):
        order(tenancy.servers.change, Server("main", "sqlite:////elsewhere"))
    for verb in (tenancy.servers.accept, tenancy.servers.drain, tenancy.servers.disable):
        with pytest.raises(errors.NoServer):
            order(verb, "nobody")
    with pytest.raises(errors.NoServer):
        order(tenancy.servers.change, Server("nobody", site.server_url))


def test_new_sessions_use_a_servers_new_address(site, order, tmp_path):
    tenancy = site.tenancy(servers=[])
    order(tenancy.servers.add, Server("a", site.server_url))
    site.make(tenancy, "acme")
    with tenancy.use("acme"), tenancy.session() as before:
        before.execute(text("SELECT 1"))

        order(tenancy.servers.change, Server("a", f"sqlite:///{tmp_path}/moved", capacity=9))

        before.execute(text("SELECT 1"))
        with tenancy.session() as after:
            moved = after.get_bind().url.database

    assert f"{tmp_path}/moved" in str(moved)
    assert tenancy.servers.list()[0].capacity == 9


def test_a_draining_server_keeps_its_tenants_and_gets_no_new_ones(site, order):
    tenancy = site.tenancy()
    site.make(tenancy, "a")
    order(tenancy.servers.drain, "main")

    with pytest.raises(errors.NoServer) as caught:
        site.register(tenancy, "b")
    with tenancy.use("a"), tenancy.session() as session:
        session.execute(text("SELECT 1"))
    order(tenancy.servers.accept, "main")

    assert caught.value.refusals == {"draining": 1}
    assert "1 draining" in str(caught.value)
    assert site.register(tenancy, "b").server == "main"


def test_a_disabled_server_gives_no_sessions_until_it_may_work_again(site, order):
    tenancy = site.tenancy()
    site.make(tenancy, "a")
    order(tenancy.servers.disable, "main")

    with tenancy.use("a"), pytest.raises(errors.ServerDisabled) as caught:
        tenancy.session()
    with pytest.raises(errors.NoServer):
        site.register(tenancy, "b")
    order(tenancy.servers.accept, "main")

    assert caught.value.name == "main"
    with tenancy.use("a"), tenancy.session() as session:
        session.execute(text("SELECT 1"))


def test_a_tenant_is_placed_in_the_region_it_asks_for(site):
    servers = [Server("eu", site.server_url, capacity=1, regions=("eu",)), Server("us", site.server_url, regions=("us",))]
    tenancy = site.tenancy(servers=servers)

    placed = [site.register(tenancy, key, region=region).server for key, region in (("a", "us"), ("b", "eu"), ("c", None))]

    assert placed == ["us", "eu", "us"]
    with pytest.raises(errors.NoServer) as caught:
        site.register(tenancy, "d", region="eu")
    assert caught.value.refusals == {"full": 1, "in other regions": 1}


def test_a_host_may_bring_a_placement_of_its_own(site):
    servers = [Server(name, site.server_url) for name in ("a", "b", "c")]
    tenancy = site.tenancy(servers=servers, placement=lambda candidates, wish: wish.key[0])

    placed = [site.register(tenancy, key).server for key in ("c-tenant", "a-tenant")]

    assert placed == ["c", "a"]


def test_deleted_tenants_take_no_room(site):
    tenancy = site.tenancy(servers=[Server("main", site.server_url, capacity=1)])
    site.make(tenancy, "a")
    with pytest.raises(errors.NoServer):
        site.register(tenancy, "b")

    tenancy.delete("a")

    assert site.register(tenancy, "b").server == "main"


def test_a_server_that_code_gave_once_is_nowhere_until_it_is_given_again(site):
    site.register(site.tenancy(), "a")
    tenancy = site.tenancy(servers=[Server("other", site.server_url)])

    with pytest.raises(errors.NoServer) as caught:
        tenancy.provision("a")

    assert caught.value.wanted == "main"
    assert ("main", "accepting", 1, "nowhere") in where(tenancy.servers.list())
    assert site.register(tenancy, "b").server == "other"


def test_capacity_is_never_exceeded_however_many_register_at_once(site):
    tenancies = [
        site.tenancy(servers=[Server("one", site.server_url, capacity=3), Server("two", site.server_url, capacity=2)]) for _ in range(3)
    ]
    start = threading.Barrier(9)

    def register(number):
        start.wait(10)
        try:
            return site.register(tenancies[number % 3], f"tenant-{number}").server
        except errors.NoServer:
            return None

    with ThreadPoolExecutor(9) as threads:
        placed = list(threads.map(register, range(9)))

    assert sorted(filter(None, placed)) == ["one"] * 3 + ["two"] * 2


def test_code_bridges_a_catalog_that_cannot_say_whether_its_server_is_switched_off(site):
    tenancy = site.tenancy(catalog_timeout_s=0.2)
    with site.engine().connect() as writer:
        writer.exec_driver_sql("LOCK TABLE tenancy_servers" if site.kind == "postgresql" else "BEGIN EXCLUSIVE")

        found = tenancy.servers.find("main")
        writer.rollback()

    assert found == Server("main", site.server_url)
    assert ServerState(tenancy.servers.list()[0].state) is ServerState.ACCEPTING
