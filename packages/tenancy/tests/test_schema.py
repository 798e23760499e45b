from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from roomtone_tenancy import schema
from roomtone_tenancy.models import CatalogRow, InstallationRow


def ours(_, name, kind, *__):
    return kind != "table" or (name.startswith("tenancy_") and name != schema.VERSION_TABLE)


def test_the_migrations_make_exactly_what_the_rows_say(site):
    with site.catalog.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": ours, "compare_type": True})

        assert compare_metadata(context, CatalogRow.metadata) == []


def test_upgrading_again_keeps_the_installations_name(site):
    def name():
        with site.catalog.connect() as connection:
            return connection.execute(InstallationRow.__table__.select()).all()

    before = name()

    assert schema.upgrade(site.catalog) == "tenancy_0004"
    assert name() == before


def test_a_host_may_have_a_version_table_of_its_own_beside_it(site):
    with site.catalog.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() is None
