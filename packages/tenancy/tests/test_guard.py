"""Every way an object or a connection of tenant A can enter a session of tenant B."""

from __future__ import annotations

import pickle

import pytest
from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.orm import make_transient

from roomtone_tenancy import errors, tenant_of
from roomtone_tenancy.testing import untouched


@pytest.fixture
def site(sqlite_site):
    """The guard stands before any database; `test_engines` meets it on PostgreSQL."""
    return sqlite_site


@pytest.fixture
def tenancy(site):
    tenancy = site.tenancy()
    for key in ("a", "b"):
        site.make(tenancy, key)
        with tenancy.use(key), tenancy.session() as session:
            session.add(site.Artist(id=1, name=f"of {key}", songs=[site.Song(id=1, title=f"by {key}")]))
            session.commit()
    return tenancy


@pytest.fixture
def artist(site, tenancy):
    """Artist 1 of tenant A, detached and changed."""
    with tenancy.use("a"), tenancy.session(expire_on_commit=False) as session:
        artist = session.get_one(site.Artist, 1)
        artist.name = "changed"
        session.expunge_all()
    return artist


def copied(artist):
    return pickle.loads(pickle.dumps(artist))


def transient(artist):
    make_transient(artist)
    return artist


ENTRIES = {
    "add": lambda site, session, artist: session.add(artist),
    "add_all": lambda site, session, artist: session.add_all([artist]),
    "merge": lambda site, session, artist: session.merge(artist),
    "merge without loading": lambda site, session, artist: session.merge(artist, load=False),
    "merge_all": lambda site, session, artist: session.merge_all([artist]),
    "delete": lambda site, session, artist: session.delete(artist),
    "delete_all": lambda site, session, artist: session.delete_all([artist]),
    "bulk_save_objects": lambda site, session, artist: session.bulk_save_objects([artist]),
    "cascade": lambda site, session, artist: session.add(site.Song(title="new", artist=artist)),
    "merge cascade": lambda site, session, artist: session.merge(site.Song(title="new", artist=artist)),
    "relationship": lambda site, session, artist: setattr(session.get_one(site.Song, 1), "artist", artist) or session.flush(),
    "pickle": lambda site, session, artist: session.add(copied(artist)),
    "pickle and merge": lambda site, session, artist: session.merge(copied(artist)),
    "make_transient": lambda site, session, artist: session.add(transient(artist)),
}


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_object_of_another_tenant_is_refused(site, tenancy, artist, entry):
    with untouched(tenancy, "a"), untouched(tenancy, "b"), tenancy.use("b"), tenancy.session() as session:
        with pytest.raises(errors.WrongTenant) as caught:
            ENTRIES[entry](site, session, artist)

        assert (caught.value.belongs_to, caught.value.current) == ("a", "b")


def test_an_object_still_in_the_other_session_is_refused_too(site, tenancy):
    with tenancy.use("a"), tenancy.session() as first:
        artist = first.get_one(site.Artist, 1)

        with tenancy.use("b", allow_switch=True), tenancy.session() as second, pytest.raises(errors.WrongTenant):
            second.add(artist)


def test_an_object_of_the_tenant_itself_goes_in_and_out(site, tenancy, artist):
    with tenancy.use("a"), tenancy.session() as session:
        session.merge(copied(artist))
        session.commit()

        assert session.get_one(site.Artist, 1).name == "changed"
        assert tenant_of(session.get_one(site.Artist, 1)) == "a"
    assert tenant_of(site.Artist()) is None


def test_objects_saved_in_bulk_belong_to_the_tenant(site, tenancy):
    artist = site.Artist(id=7, name="bulk")
    with tenancy.use("a"), tenancy.session() as session:
        session.bulk_save_objects([artist])
        session.commit()

    assert tenant_of(artist) == "a"


def test_a_foreign_bind_is_refused_at_every_door(site, tenancy):
    foreign = create_engine("sqlite://")
    statement = select(site.Artist)
    with tenancy.use("a"), tenancy.session() as session:
        for attempt in (
            lambda: session.execute(statement, bind_arguments={"bind": foreign}),
            lambda: session.connection(bind_arguments={"bind": foreign}),
            lambda: session.execute(insert(site.Artist), [{"name": "x"}], bind_arguments={"bind": foreign}),
            lambda: session.bind_mapper(site.Artist, foreign),
            lambda: session.bind_table(site.Artist.__table__, foreign),
        ):
            with pytest.raises(errors.WrongTenant):
                attempt()
        with pytest.raises(TypeError, match="binds"):
            tenancy.session(binds={site.Artist: foreign})

        session.bind = foreign
        assert session.scalars(select(site.Artist.name)).all() == ["of a"]


def test_a_lazy_relationship_of_a_is_not_read_in_b_nor_outside(site, tenancy):
    with tenancy.use("a"):
        session = tenancy.session()
        artist = session.get_one(site.Artist, 1)
    with tenancy.use("b"), pytest.raises(errors.WrongTenant):
        _ = artist.songs
    with pytest.raises(errors.NoTenant):
        _ = artist.songs

    session.close()


def test_equal_keys_of_two_tenants_are_not_equal(site, tenancy):
    found = []
    for key in ("a", "b"):
        with tenancy.use(key), tenancy.session() as session:
            found.append(session.get_one(site.Artist, 1))

    assert found[0] != found[1]
    assert hash(found[0]) != hash(found[1])


def test_a_session_of_a_tenant_is_no_session_of_the_catalog(tenancy):
    with tenancy.use("a"), tenancy.session() as session:
        with pytest.raises(TypeError, match="control database"):
            tenancy.register(session, "new")
        with pytest.raises(TypeError, match="control database"):
            tenancy.suspend(session, "a", reason="x")


def test_a_query_that_is_plain_sql_reaches_its_own_tenant_only(tenancy):
    with tenancy.use("b"), tenancy.session() as session:
        assert session.scalars(text("SELECT name FROM artist")).all() == ["of b"]
