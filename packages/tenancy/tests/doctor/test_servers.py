"""Faults on servers and in databases: each is planted, found alone, and gone when its fix was pasted."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from roomtone_tenancy import PoolLimits, Server
from roomtone_tenancy.doctor import Severity, Thresholds
from roomtone_tenancy.life.stores import FolderStore
from roomtone_tenancy.models import TenantRow
from roomtone_tenancy.provisioners.sqlite_files import file_of
from roomtone_tenancy.server import RUNTIME_SETTINGS


def checks(diagnosis):
    return [finding.check for finding in diagnosis.findings]


@pytest.fixture
def options(tmp_path):
    return {"backups": FolderStore(tmp_path / "backups"), "cache_ttl_s": 0}


@pytest.fixture
def tenancy(healthy, options):
    tenancy = healthy.tenancy(**options)
    healthy.make(tenancy, "a")
    tenancy.backups.create("a")
    return tenancy


def path_of(tenancy, key="a"):
    tenant = tenancy.tenant(key)
    return tenancy._sites[tenant.server].provisioner.folder / f"{tenant.database}.sqlite3"


def drop(site, tenancy):
    if site.kind == "sqlite":
        path_of(tenancy).unlink()
        return
    with site.admin() as admin:
        admin.execute(f'DROP DATABASE "{tenancy.tenant("a").database}" WITH (FORCE)')


def test_a_missing_database_is_found_and_its_backup_put_back(healthy, tenancy, options, run_on, apply):
    drop(healthy, tenancy)
    found = tenancy.doctor()

    apply(healthy, found.findings[0], run_on(healthy, **options))

    assert (checks(found), found.findings[0].fix.text, found.findings[0].severity) == (["missing"], "tenancy restore a", Severity.ERROR)
    assert healthy.tenancy(**options).doctor().is_well


def test_an_orphan_is_found_and_dropped_with_its_roles(healthy, tenancy, apply):
    name = tenancy.tenant("a").database[:10] + "lost"
    if healthy.kind == "sqlite":
        shutil.copy(path_of(tenancy), path_of(tenancy).with_name(f"{name}.sqlite3"))
    else:
        with healthy.admin() as admin:
            admin.execute(f'CREATE ROLE "{name}_owner"')
            admin.execute(f'CREATE DATABASE "{name}" OWNER "{name}_owner"')
            admin.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
    found = tenancy.doctor()

    apply(healthy, found.findings[0])

    assert (checks(found), found.findings[0].subject) == (["orphan"], name)
    assert tenancy.doctor().is_well
    assert tenancy.orphans() == []


def test_a_catalog_that_is_wrong_about_a_revision_is_found_and_repaired(healthy, tenancy, options, run_on, apply):
    healthy.add_revision("r0", 'revision, down_revision = "r0", "r1"\n\ndef upgrade():\n    pass\n')
    migrated = healthy.tenancy(**options)
    migrated.migrate()
    _note(healthy, migrated, "r1")
    found = migrated.doctor()

    apply(healthy, found.findings[0], run_on(healthy, **options))

    assert checks(found) == ["drift"]
    assert healthy.tenancy(**options).doctor().is_well


def _note(site, tenancy, revision):
    """Set back what the database itself says."""
    statement = f"UPDATE alembic_version SET version_num = '{revision}'"
    tenant = tenancy.tenant("a")
    if site.kind == "postgresql":
        with site.admin(tenant.database) as admin:
            admin.execute(statement)
    else:
        with closing(sqlite3.connect(file_of(tenancy._sites["main"].provisioner.folder, tenant.database))) as connection, connection:
            connection.execute(statement)


def test_two_databases_that_were_exchanged_are_found_by_their_stamps(healthy, tenancy):
    healthy.make(tenancy, "b")
    with Session(healthy.catalog) as session, session.begin():
        names = {key: tenancy.tenant(key).database for key in "ab"}
        for key, name in (("b", None), ("a", names["b"]), ("b", names["a"])):
            session.execute(update(TenantRow).where(TenantRow.key == key).values(database=name))
    found = healthy.tenancy().doctor()

    assert {it.check for it in found.findings} >= {"stamp"}
    assert [it.subject for it in found.findings if it.check == "stamp"] == ["a", "b"]


def test_a_server_that_does_not_answer_is_found_and_the_others_are_looked_at(own_site):
    tenancy = own_site.tenancy(
        servers=[Server("away", "postgresql+psycopg://nobody@127.0.0.1:1/postgres"), Server("main", own_site.server_url)]
    )
    found = tenancy.doctor()

    assert [(it.check, it.subject) for it in found.findings] == [("unreachable", "away")]
    assert found.findings[0].fix.text == "pg_isready -h 127.0.0.1 -p 1"


def test_room_for_files_is_looked_at(healthy, tenancy):
    found = tenancy.doctor(thresholds=Thresholds(free_inodes=1.1))

    assert checks(found) == ["inodes"]
    assert found.findings[0].fix.text == "tenancy servers drain main"


def test_a_file_that_others_may_read_is_found_and_closed(sqlite_site, options, apply):
    tenancy = sqlite_site.tenancy(**options)
    sqlite_site.make(tenancy, "a")
    path_of(tenancy).chmod(0o644)
    found = tenancy.doctor()

    apply(sqlite_site, found.findings[0])

    assert checks(found) == ["mode"]
    assert tenancy.doctor().is_well


# What is planted by SQL as an administrator: in which database, and what; {d} is the tenant's, {r} its login.
PLANTS = {
    "public": ("postgres", 'GRANT CONNECT ON DATABASE "{d}" TO PUBLIC'),
    "owner": ("postgres", 'ALTER DATABASE "{d}" OWNER TO postgres'),
    "settings": ("postgres", 'ALTER ROLE "{r}" IN DATABASE "{d}" RESET lock_timeout'),
    "powers": ("postgres", 'ALTER ROLE "{r}" CREATEDB'),
    "public-inside": ("{d}", "GRANT SELECT ON artist TO PUBLIC"),
    "table-owner": ("{d}", "ALTER TABLE artist OWNER TO postgres"),
    # On PostgreSQL 15 there is ICU, from 17 on a provider of its own: the tests' locale C has no versions.
    "collation": (
        "postgres",
        "DO $$ BEGIN IF current_setting('server_version_num')::int < 170000 THEN "
        "UPDATE pg_database SET datlocprovider = 'i', daticulocale = 'en', datcollversion = '0' WHERE datname = '{d}'; ELSE "
        "UPDATE pg_database SET datlocprovider = 'b', datlocale = 'C.UTF-8', datcollversion = '0' WHERE datname = '{d}'; END IF; END $$",
    ),
    "login": ("postgres", 'ALTER ROLE "{r}" NOLOGIN'),
    "index": ("{d}", "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'artist_pkey'::regclass"),
}


@pytest.mark.parametrize("planted", PLANTS)
def test_a_right_or_a_setting_that_was_changed_is_found_alone_and_mended(planted, shared_site, shared, own_options, run_on, apply):
    tenant = shared.tenant("a")
    role = shared._credentials.current(tenant.id).role
    where, statement = (text.format(d=tenant.database, r=role) for text in PLANTS[planted])
    with shared_site.admin(where) as admin:
        admin.execute(statement)
    found = shared.doctor()

    apply(shared_site, found.findings[0], run_on(shared_site, **own_options))

    assert checks(found) == [planted]
    assert shared_site.tenancy(**own_options).doctor().is_well


def test_a_schema_open_to_everybody_is_found(shared_site, shared, apply):
    with shared_site.admin(shared.tenant("a").database) as admin:
        admin.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    found = shared.doctor()

    apply(shared_site, found.findings[0])

    assert (checks(found), shared.doctor().is_well) == (["public-inside"], True)


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_another_database_open_to_every_login_is_a_warning(shared_site, shared, apply, database):
    with shared_site.admin() as admin:
        admin.execute(f"GRANT CONNECT ON DATABASE {database} TO PUBLIC")
    found = shared.doctor()

    apply(shared_site, found.findings[0])

    assert [(it.check, it.severity) for it in found.findings] == [("public", Severity.WARNING)]
    assert shared.doctor().is_well


def test_a_template_that_accepts_connections_is_found(shared_site, shared, apply):
    with shared_site.admin() as admin:
        admin.execute(f'ALTER DATABASE "{shared._templates.current("main")}" WITH ALLOW_CONNECTIONS true')
    found = shared.doctor()

    apply(shared_site, found.findings[0])

    assert (checks(found), shared.doctor().is_well) == (["open-template"], True)


SETTINGS = {"recovery": "RESET recovery_init_sync_method", "autovacuum": "SET autovacuum = off"}


@pytest.fixture
def settings(shared_site, eventually):
    """Changes settings of the server, and waits until they hold; takes all of them back."""

    def change(statement):
        with shared_site.admin() as admin:
            name = statement.split()[1]
            before = admin.execute("SELECT pg_conf_load_time()").fetchone()
            admin.execute(f"ALTER SYSTEM {statement}")
            admin.execute("SELECT pg_reload_conf()")
            eventually(lambda: admin.execute("SELECT pg_conf_load_time()").fetchone() != before, name)

    yield change
    change("RESET ALL")


def test_a_crash_that_would_take_minutes_to_recover_from_is_found(shared, shared_site, settings, apply, eventually):
    found = shared.doctor(thresholds=Thresholds(databases=1))
    few = shared.doctor()

    apply(shared_site, found.findings[0])

    assert (checks(found), few.is_well) == (["recovery"], True)
    assert "recovery_init_sync_method is fsync" in found.findings[0].what
    eventually(lambda: shared.doctor(thresholds=Thresholds(databases=1)).is_well, "syncfs")


@pytest.mark.parametrize("name", ["autovacuum", "track_counts"])
def test_autovacuum_that_is_off_is_found(shared, shared_site, settings, apply, eventually, name):
    settings(f"SET {name} = off")
    found = shared.doctor()

    apply(shared_site, found.findings[0])

    assert [(it.check, it.severity) for it in found.findings] == [("autovacuum", Severity.ERROR)]
    eventually(lambda: shared.doctor().is_well, "autovacuum on")


def test_autovacuum_that_never_rests_is_found(shared, shared_site, settings, apply, eventually):
    with shared_site.admin() as admin:
        for number in range(5):
            admin.execute(f"CREATE DATABASE other{number} ALLOW_CONNECTIONS false")
    settings("SET autovacuum_naptime = 1")
    found = shared.doctor()

    apply(shared_site, found.findings[0])

    assert (checks(found), found.findings[0].severity) == (["autovacuum"], Severity.WARNING)
    eventually(lambda: shared.doctor().is_well, "a longer nap")
    with shared_site.admin() as admin:
        for number in range(5):
            admin.execute(f"DROP DATABASE other{number}")


def test_a_budget_beyond_what_the_server_has_is_found(shared, shared_site, own_options):
    found = shared_site.tenancy(**own_options, pools=PoolLimits(per_server=10_000)).doctor()
    proposed = int(found.findings[0].fix.text.rpartition("=")[2].strip(")"))

    assert (checks(found), found.findings[0].severity) == (["connections"], Severity.ERROR)
    assert shared_site.tenancy(**own_options, pools=PoolLimits(per_server=proposed)).doctor().is_well


def test_a_server_whose_settings_lack_a_time_out_is_found(shared_site):
    without = {name: value for name, value in RUNTIME_SETTINGS.items() if name != "lock_timeout"}

    found = shared_site.tenancy(servers=[Server("main", shared_site.server_url, settings=without)]).doctor()

    assert checks(found) == ["time-outs"]
    assert "no lock_timeout" in found.findings[0].what


def test_what_one_database_of_a_sample_answers_keeps_nobody_from_the_others(shared_site, shared):
    shared_site.make(shared, "b")
    door = f'ALTER DATABASE "{shared.tenant("a").database}" WITH ALLOW_CONNECTIONS '
    with shared_site.admin() as admin:
        admin.execute(f"{door} false")
        found = shared.doctor()
        admin.execute(f"{door} true")
    shared.delete("b", without_backup=True)

    assert [(it.check, it.subject) for it in found.findings] == [("unreadable", "a")]
    assert found.looked_into == 2


def test_only_so_many_databases_are_opened(healthy, tenancy):
    for key in "bcd":
        healthy.make(tenancy, key)

    assert [tenancy.doctor(sample=count).looked_into for count in (0, 2, None)] == [0, 2, 4]
