"""Without a studio in scope nothing is read, and what is one studio's does not enter the session of another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from roomtone_tenancy.errors import NoTenant, TenantSwitch, UnknownHost, WrongTenant
from studio.contexts.crm.models import Party
from studio.contexts.scheduling.models import Room
from studio.db import StudioBase
from studio.web.request import studio_db

LOOKUPS = 400


def test_a_session_needs_a_studio_in_scope(services):
    with pytest.raises(NoTenant):
        services.database.tenancy.session()

    with pytest.raises(NoTenant), services.database.studio() as db:
        db.execute(select(Room))


def test_a_session_is_worth_nothing_once_its_block_has_ended(services, houses):
    with services.database.tenancy.use(houses[0].key):
        session = services.database.tenancy.session()

    for table in StudioBase.metadata.sorted_tables:
        with pytest.raises(NoTenant):
            session.execute(select(table))
    session.close()


def test_pages_of_the_platform_and_of_our_staff_have_no_studio(app, houses):
    for plane in (app.platform, app.backoffice):
        with plane.test_request_context(base_url=f"http://{houses[0].host}"), pytest.raises(NoTenant), studio_db() as db:
            db.execute(select(Room))


def test_a_request_leaves_no_studio_behind(services, houses, client_at):
    for path, status in (("/", 200), ("/nothing", 404), ("/app", 302), ("/book/none", 404)):
        answer = client_at(houses[0]).get(path)

        assert answer.status_code == status
        with pytest.raises(NoTenant):
            _ = services.database.tenancy.current


def test_a_studio_is_not_entered_from_within_another(services, houses):
    tenancy = services.database.tenancy

    with tenancy.use(houses[0].key):
        with pytest.raises(TenantSwitch), tenancy.use(houses[1].key):
            pass
        assert tenancy.current.key == houses[0].key


def test_a_session_of_one_studio_does_nothing_in_the_other(services, houses):
    tenancy = services.database.tenancy
    with tenancy.use(houses[0].key):
        session = tenancy.session()

    with tenancy.use(houses[1].key), pytest.raises(WrongTenant):
        session.scalars(select(Room))
    session.close()


@pytest.mark.parametrize("model", [Room, Party])
@pytest.mark.parametrize("way", ["add", "merge", "delete", "bulk_save_objects"])
def test_a_row_of_one_studio_does_not_enter_the_other(services, houses, everything, model, way):
    before = [everything(house) for house in houses]
    tenancy = services.database.tenancy
    with tenancy.use(houses[0].key), tenancy.session(expire_on_commit=False) as db:
        row = db.scalars(select(model).limit(1)).one()
        db.expunge(row)

    with tenancy.use(houses[1].key), tenancy.session() as db, pytest.raises(WrongTenant):
        getattr(db, way)([row] if way == "bulk_save_objects" else row)

    assert [everything(house) for house in houses] == before


def test_a_host_is_always_its_own_studio_however_many_ask_at_once(services, houses):
    tenancy = services.database.tenancy

    def look(number: int) -> list[str]:
        house = houses[number % 2]
        if number % 40 == 0:
            with services.database.control() as db:  # drops what this process remembers, while others ask
                tenancy.update_metadata(db, house.key, looked=number)
        found = [tenancy.resolve(house.host), tenancy.resolve(house.host.upper()), tenancy.tenant(house.key)]
        return [f.key for f in found if f.key != house.key or f.metadata["name"] != f"{house.mark} studio"]

    with ThreadPoolExecutor(8) as pool:
        wrong = [key for found in pool.map(look, range(LOOKUPS)) for key in found]

    assert wrong == []


@pytest.mark.parametrize("host", ["x{0}", "{0}x", "www.{0}", "{0}.{1}", "{0}@{1}", "{0}%00", "{0}/{1}"])
def test_a_host_that_is_nearly_a_studios_is_nobodys(app, services, houses, host):
    asked = host.format(houses[0].host.partition(":")[0], houses[1].host)

    with pytest.raises(UnknownHost):
        services.database.tenancy.resolve(asked)
