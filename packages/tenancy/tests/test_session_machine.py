"""Two tenants with the same primary keys, and every verb of a Session in any order: what is done with A's objects leaves B as it was."""

from __future__ import annotations

import contextlib
import copy
import functools
import pickle
import sqlite3
import traceback
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from sqlalchemy import create_engine, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import make_transient, make_transient_to_detached

from roomtone_tenancy import errors, tenant_of

STEPS_EACH = 100
EXAMPLES = {"sqlite": 560, "postgresql": 12}
STEPS_MIN = {"sqlite": 50_000, "postgresql": 1_000}
OBJECTS_MAX = 12
REFUSED = (errors.WrongTenant, errors.NoTenant, errors.TenantSwitch)
HARMLESS = (SQLAlchemyError, KeyError, AttributeError)  # objections of SQLAlchemy and of objects that share a state after copy.copy()
ELSEWHERE = create_engine("sqlite://")


def relate(site, session, it):
    """Lead from one of the session's own objects to this one."""
    if isinstance(it, site.Artist):
        session.get_one(site.Song, 1).artist = it
    else:
        session.get_one(site.Artist, 1).songs.append(it)
    session.flush()


def wrap(site, it):
    name = f"{tenant_of(it)} new"
    return site.Song(title=name, artist=it) if isinstance(it, site.Artist) else site.Artist(name=name, songs=[it])


VERBS = {
    "add": lambda site, session, it: session.add(it),
    "add_all": lambda site, session, it: session.add_all([it]),
    "merge": lambda site, session, it: session.merge(it),
    "merge without loading": lambda site, session, it: session.merge(it, load=False),
    "delete": lambda site, session, it: session.delete(it),
    "refresh": lambda site, session, it: session.refresh(it),
    "expire": lambda site, session, it: session.expire(it),
    "bulk_save_objects": lambda site, session, it: session.bulk_save_objects([it]),
    "bulk_insert_mappings": lambda site, session, it: session.bulk_insert_mappings(type(it), [vars(it)]),
    "bulk_update_mappings": lambda site, session, it: session.bulk_update_mappings(type(it), [vars(it)]),
    "insert": lambda site, session, it: session.execute(insert(type(it)), [vars(it)]),
    "update": lambda site, session, it: session.execute(update(type(it)), [vars(it)]),
    "enable_relationship_loading": lambda site, session, it: session.enable_relationship_loading(it),
    "relationship": relate,
    "cascade": lambda site, session, it: session.add(wrap(site, it)),
}


def attempt(verb, site, session, it):
    try:
        VERBS[verb](site, session, it)
    except AssertionError as error:  # SQLAlchemy asserts too, about objects in a state that it does not foresee
        raise SQLAlchemyError from error


CHANGES = {
    "pickle": lambda it: pickle.loads(pickle.dumps(it)),
    "deepcopy": copy.deepcopy,
    "make_transient": lambda it: make_transient(it) or it,
    "make_transient_to_detached": lambda it: make_transient(it) or make_transient_to_detached(it) or it,
}
sides = st.sampled_from("ab")
indices = st.integers(min_value=0, max_value=OBJECTS_MAX - 1)
numbers = st.integers(min_value=1, max_value=5)


class Ground:
    """Two tenants, looked at behind the library's back."""

    def __init__(self, site):
        self.site, self.tenancy, self.steps = site, site.tenancy(), 0
        self.raw = {}
        for key in "ab":
            tenant = site.make(self.tenancy, key)
            if site.kind == "sqlite":
                with self.tenancy.use(key), self.tenancy.session() as session:
                    path = session.get_bind().url.database
                self.raw[key] = sqlite3.connect(path, isolation_level=None)
            else:
                self.raw[key] = site.admin(tenant.database)

    def reset(self):
        for key, raw in self.raw.items():
            raw.execute("DELETE FROM song")
            raw.execute("DELETE FROM artist")
            raw.execute(f"INSERT INTO artist (id, name) VALUES (1, '{key} 1'), (2, '{key} 2'), (3, '{key} 3')")
            raw.execute(f"INSERT INTO song (id, title, artist_id) VALUES (1, '{key} 1', 1), (2, '{key} 2', 2), (3, '{key} 3', NULL)")

    def rows(self, key):
        run = self.raw[key].execute
        return run("SELECT id, name FROM artist").fetchall(), run("SELECT id, title, artist_id FROM song").fetchall()

    def digest(self, key):
        return zlib.crc32(repr([sorted(rows) for rows in self.rows(key)]).encode())

    def close(self):
        for raw in self.raw.values():
            raw.close()


def other(key):
    return "b" if key == "a" else "a"


def counted(function):
    """One step: the tenant that it is not about is the same afterwards, and nobody holds another's text."""

    @functools.wraps(function)
    def step(self, key, **arguments):
        self.ground.steps += 1
        before = self.ground.digest(other(key))
        try:
            function(self, key, **arguments)
        except AssertionError as error:
            if "sqlalchemy" not in traceback.extract_tb(error.__traceback__)[-1].filename:
                raise
            self.sessions[key] = self.open(key)  # SQLAlchemy asserts too, in a session that it does not foresee
        except (*REFUSED, *HARMLESS):  # what an earlier step left behind: an object whose relationships lead to the other tenant
            self.sessions[key].rollback()

        assert self.ground.digest(other(key)) == before
        assert self.ground.tenancy.scope._scope.peek() is None

    return step


class SessionMachine(RuleBasedStateMachine):
    ground: Ground

    def __init__(self):
        super().__init__()
        self.ground.reset()
        self.tenancy, self.site = self.ground.tenancy, self.ground.site
        self.sessions, self.objects = {}, []
        for key in "ab":
            self.sessions[key] = self.open(key)
            self.keep(self.get(key, self.site.Artist, 1))

    def open(self, key):
        with self.tenancy.use(key):
            return self.tenancy.session(expire_on_commit=False)

    def get(self, key, kind, number):
        with self.tenancy.use(key):
            return self.sessions[key].get(kind, number)

    def keep(self, it):
        if it is not None:
            self.objects.append(it)
            del self.objects[:-OBJECTS_MAX]

    def pick(self, index):
        return self.objects[index % len(self.objects)]

    def settle(self, key):
        """Commit what is the tenant's own; roll back what the database or SQLAlchemy does not want."""
        try:
            with self.tenancy.use(key):
                self.sessions[key].commit()
        except (*REFUSED, *HARMLESS):
            self.sessions[key].rollback()

    @rule(key=sides, number=numbers, is_artist=st.booleans())
    @counted
    def load(self, key, number, is_artist):
        found = self.get(key, self.site.Artist if is_artist else self.site.Song, number)
        assert found is None or tenant_of(found) == key
        self.keep(found)

    @rule(key=sides, number=numbers)
    @counted
    def load_with_its_songs(self, key, number):
        artist = self.get(key, self.site.Artist, number)
        if artist is not None:
            with self.tenancy.use(key):
                assert all(tenant_of(song) == key and song.title.startswith(key) for song in artist.songs)
            self.keep(artist)

    @rule(key=sides, number=st.integers(min_value=1, max_value=9), is_artist=st.booleans())
    @counted
    def make(self, key, number, is_artist):
        it = self.site.Artist(id=number, name=f"{key} made") if is_artist else self.site.Song(id=number, title=f"{key} made")
        with self.tenancy.use(key):
            self.sessions[key].add(it)
        self.keep(it)

    @rule(key=sides, index=indices)
    @counted
    def write(self, key, index):
        """Change an object wherever it is; only its own tenant may ever see that."""
        it = self.pick(index)
        text = f"{tenant_of(it)} changed"
        with contextlib.suppress(*REFUSED, *HARMLESS), self.tenancy.use(key):
            setattr(it, "name" if isinstance(it, self.site.Artist) else "title", text)

    @rule(key=sides, index=indices)
    @counted
    def detach(self, key, index):
        with contextlib.suppress(*HARMLESS):
            self.sessions[key].expunge(self.pick(index))

    @rule(key=sides, index=indices, how=st.sampled_from(sorted(CHANGES)))
    @counted
    def change(self, key, index, how):
        it = self.pick(index)
        owner = tenant_of(it)
        # A shallow copy shares its original's state and soon breaks SQLAlchemy's own session: the other tenant's refuses it, and it goes.
        with self.tenancy.use(other(owner)), pytest.raises((*REFUSED, *HARMLESS)):
            self.sessions[other(owner)].add(copy.copy(it))
        with contextlib.suppress(*REFUSED, *HARMLESS), self.tenancy.use(key):
            changed = CHANGES[how](it)
            assert tenant_of(changed) == owner
            self.keep(changed)

    @rule(key=sides, index=indices, verb=st.sampled_from(sorted(VERBS)), is_threaded=st.integers(min_value=0, max_value=9))
    @counted
    def use_verb(self, key, index, verb, is_threaded):
        it, session = self.pick(index), self.sessions[key]
        with self.tenancy.use(key):
            work = self.tenancy.scope.bound(lambda: attempt(verb, self.site, session, it))
        if is_threaded == 0:
            with ThreadPoolExecutor(1) as threads:
                work = threads.submit(work).result
        if tenant_of(it) == key:
            try:
                work()
            except (*REFUSED, *HARMLESS):
                session.rollback()
            return
        self.settle(key)
        before = self.ground.digest(key)
        with pytest.raises((*REFUSED, *HARMLESS)):
            work()
        session.rollback()
        self.settle(key)
        assert it not in session
        assert self.ground.digest(key) == before

    @rule(key=sides, index=indices, verb=st.sampled_from(["add", "merge", "delete", "update"]))
    @counted
    def use_verb_without_a_scope_or_within_another(self, key, index, verb):
        session = self.sessions[key]
        self.settle(key)
        before = self.ground.digest(key)
        for scope in (contextlib.nullcontext(), self.tenancy.use(other(key))):
            with contextlib.suppress(*REFUSED, *HARMLESS), scope:
                attempt(verb, self.site, session, self.pick(index))
                session.flush()
        assert self.ground.digest(key) == before
        session.rollback()

    @rule(key=sides, number=numbers, is_foreign=st.booleans())
    @counted
    def use_core(self, key, number, is_foreign):
        session = self.sessions[key]
        statement = update(self.site.Artist.__table__).where(self.site.Artist.__table__.c.id == number).values(name=f"{key} core")
        bind = self.sessions[other(key)]._engine if is_foreign else session._engine
        with self.tenancy.use(key):
            if not is_foreign:
                session.execute(statement, bind_arguments={"bind": bind})
            else:
                for door in (session.execute, session.scalars):
                    with pytest.raises(errors.WrongTenant):
                        door(statement, bind_arguments={"bind": bind})
                session.bind = bind
                names = session.execute(text("SELECT name FROM artist")).scalars().all()
                assert all(name.startswith(key) for name in names)

    @rule(key=sides)
    @counted
    def nest(self, key):
        session = self.sessions[key]
        with self.tenancy.use(key):
            with pytest.raises(errors.TenantSwitch), self.tenancy.use(other(key)):
                raise AssertionError
            with self.tenancy.use(other(key), allow_switch=True), pytest.raises(errors.WrongTenant):
                session.scalars(select(self.site.Artist)).all()
            with session.begin_nested():
                assert all(artist.name.startswith(key) for artist in session.scalars(select(self.site.Artist)))

    @rule(key=sides)
    @counted
    def commit(self, key):
        self.settle(key)
        artists, songs = self.ground.rows(key)
        assert all(row[1].startswith(key) for row in (*artists, *songs))

    @rule(key=sides)
    @counted
    def roll_back(self, key):
        self.sessions[key].rollback()

    @rule(key=sides)
    @counted
    def close(self, key):
        self.sessions[key].close()
        self.sessions[key] = self.open(key)

    def teardown(self):
        for session in self.sessions.values():
            session.close()


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # what an abused session grumbles is not the point
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", [pytest.param("sqlite", marks=pytest.mark.machine), "postgresql"])
def test_no_interleaving_of_two_tenants_reaches_the_other_one(request, kind):
    site = request.getfixturevalue("postgres_site" if kind == "postgresql" else "sqlite_site")
    ground = Ground(site)
    machine = type("Machine", (SessionMachine,), {"ground": ground})

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES[kind],
            stateful_step_count=STEPS_EACH,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            phases=[Phase.generate],
            report_multiple_bugs=False,
        ),
    )
    ground.close()

    print(f"{ground.steps} steps on {kind}")
    assert ground.steps >= STEPS_MIN[kind]
