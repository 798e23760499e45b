"""Every way an object or a connection of tenant A can enter a session of tenant B."""

from __future__ import annotations

import copy
import pickle
from contextlib import contextmanager

import pytest
from sqlalchemy import create_engine, event, insert, select, text, update
from sqlalchemy.orm import Session, make_transient, make_transient_to_detached

from roomtone_tenancy import errors, same_row, tenant_of
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
        assert artist.songs
        session.expunge_all()
    return artist


def copied(artist):
    return pickle.loads(pickle.dumps(artist))


def appended(artist, song):
    artist.songs.append(song)


def detached(artist):
    make_transient(artist)
    make_transient_to_detached(artist)
    return artist


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
    "make_transient_to_detached": lambda site, session, artist: session.add(detached(artist)),
    "copy": lambda site, session, artist: session.add(copy.copy(artist)),
    "deepcopy": lambda site, session, artist: session.add(copy.deepcopy(artist)),
    "append": lambda site, session, artist: artist.songs.append(session.get_one(site.Song, 1)) or session.flush(),
    "append to ours": lambda site, session, artist: appended(session.get_one(site.Artist, 1), artist.songs[0]),
    "refresh": lambda site, session, artist: session.refresh(artist),
    "expire": lambda site, session, artist: session.expire(artist),
    "enable_relationship_loading": lambda site, session, artist: session.enable_relationship_loading(artist),
    "bulk_insert_mappings": lambda site, session, artist: session.bulk_insert_mappings(site.Artist, [vars(artist)]),
    "bulk_update_mappings": lambda site, session, artist: session.bulk_update_mappings(site.Artist, [vars(artist)]),
    "insert": lambda site, session, artist: session.execute(insert(site.Artist), [vars(artist)]),
    "update": lambda site, session, artist: session.execute(update(site.Artist), [vars(artist)]),
}


@contextmanager
def no_writes(engine):
    """Fail when the database is told more than to read."""
    told = []

    def note(connection, cursor, statement, *_):
        told.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield
    event.remove(engine, "before_cursor_execute", note)
    assert not [statement for statement in told if not statement.startswith(("SELECT", "BEGIN", "PRAGMA query_only"))]


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_object_of_another_tenant_is_refused_before_anything_is_written(site, tenancy, artist, entry):
    with untouched(tenancy, "a"), untouched(tenancy, "b"), tenancy.use("b"), tenancy.session() as session:
        with no_writes(session.get_bind()), pytest.raises(errors.WrongTenant) as caught:
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


def test_an_expired_attribute_of_a_is_not_read_in_b_nor_outside(site, tenancy):
    with tenancy.use("a"):
        session = tenancy.session()
        artist = session.get_one(site.Artist, 1)
        session.expire(artist)
    with tenancy.use("b"), pytest.raises(errors.WrongTenant):
        _ = artist.name
    with pytest.raises(errors.NoTenant):
        _ = artist.name
    with tenancy.use("a"):
        assert artist.name == "of a"

    session.close()


def test_a_query_built_in_a_and_run_in_b_or_outside_is_an_error_and_gives_no_rows_of_b(site, tenancy):
    with tenancy.use("a"):
        session = tenancy.session()
        query = session.query(site.Artist)
    with tenancy.use("b"), pytest.raises(errors.WrongTenant):
        query.all()
    with pytest.raises(errors.NoTenant):
        query.first()
    with tenancy.use("b"), tenancy.session() as other:
        assert [artist.name for artist in query.with_session(other)] == ["of b"]

    session.close()


def test_changes_of_a_are_not_flushed_within_b(site, tenancy):
    with untouched(tenancy, "a"), untouched(tenancy, "b"):
        with tenancy.use("a"):
            session = tenancy.session()
            session.get_one(site.Artist, 1).name = "changed"
        with tenancy.use("b"), pytest.raises(errors.WrongTenant):
            session.commit()
        session.close()


def test_an_object_that_a_plain_session_loaded_is_nobodys_and_refused(site, tenancy):
    engine = create_engine("sqlite://")
    site.Artist.metadata.create_all(engine)
    with Session(engine, expire_on_commit=False) as plain:
        plain.add(site.Artist(id=1, name="from elsewhere"))
        plain.commit()
        artist = plain.get_one(site.Artist, 1)
        plain.expunge_all()
    engine.dispose()

    with untouched(tenancy, "a"), tenancy.use("a"), tenancy.session() as session:
        for verb in (session.add, session.merge, session.delete):
            with pytest.raises(errors.WrongTenant, match="no tenant's session"):
                verb(artist)


def test_equal_keys_of_two_tenants_are_not_equal_nor_the_same_row(site, tenancy):
    found = []
    for key in ("a", "b", "a"):
        with tenancy.use(key), tenancy.session() as session:
            found.append(session.get_one(site.Artist, 1))

    assert found[0] != found[1]
    assert hash(found[0]) != hash(found[1])
    assert not same_row(found[0], found[1])
    assert same_row(found[0], found[2])
    assert not same_row(site.Artist(), site.Artist())


def test_a_session_of_a_tenant_is_no_session_of_the_catalog(tenancy):
    with tenancy.use("a"), tenancy.session() as session:
        with pytest.raises(TypeError, match="control database"):
            tenancy.register(session, "new")
        with pytest.raises(TypeError, match="control database"):
            tenancy.suspend(session, "a", reason="x")


def test_a_query_that_is_plain_sql_reaches_its_own_tenant_only(tenancy):
    with tenancy.use("b"), tenancy.session() as session:
        assert session.scalars(text("SELECT name FROM artist")).all() == ["of b"]
