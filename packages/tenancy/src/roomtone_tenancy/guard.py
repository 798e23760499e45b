"""A Session that belongs to one tenant and refuses what belongs to another.

Plain SQLAlchemy writes an object of tenant A into B's row of the same primary key without a word. Every way an object or a
connection enters a session passes here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from sqlalchemy import Connection, Engine, event, inspect
from sqlalchemy.orm import InstanceState, Session

from .context import Scope
from .errors import NoTenant, WrongTenant
from .tenant import Tenant

_STAMP = "roomtone_tenant"


class TenantSession(Session):
    """The session of one tenant, usable only while that tenant is in scope.

    Args:
        tenant: whose database `engine` is, or the connection in its place.
        scope: where the current tenant is looked up at each statement.
        options: what `Session` takes, except its binds.
    """

    def __init__(self, engine: Engine | Connection, *, tenant: Tenant, scope: Scope, **options: Any) -> None:  # options are Session's own
        if forbidden := options.keys() & {"bind", "binds", "twophase"}:
            raise TypeError(f"A tenant's session takes no {', '.join(sorted(forbidden))}: its database is the tenant's.")
        super().__init__(bind=engine, **options)
        self.tenant = tenant
        self._engine, self._scope = engine, scope
        self._is_merging = False

    def get_bind(self, mapper: Any = None, *, bind: Any = None, **others: Any) -> Engine | Connection:  # noqa: ARG002 -- as Session's
        """The tenant's engine, and nothing else.

        Raises:
            NoTenant: the tenant's block has ended.
            WrongTenant: another tenant is in scope, or the caller asks for another bind.
        """
        current = self._scope.peek()
        if current is None:
            raise NoTenant
        if current.id != self.tenant.id:
            raise WrongTenant("This session", belongs_to=self.tenant.key, current=current.key)
        if bind is not None and bind is not self._engine and getattr(bind, "engine", None) is not self._engine:
            raise WrongTenant("The bind given to this session", belongs_to="(unknown)", current=self.tenant.key)
        return self._engine

    def connection(self, bind_arguments: Any = None, execution_options: Any = None) -> Connection:  # as Session's
        """As `Session.connection`, on the tenant's engine; Session itself would take any bind here without asking."""
        self.get_bind(**(bind_arguments or {}))
        return super().connection(execution_options=execution_options)

    def add(self, instance: object, **options: Any) -> None:
        """As `Session.add`, for an object of this tenant."""
        self._check(inspect(instance))
        super().add(instance, **options)

    def delete(self, instance: object) -> None:
        """As `Session.delete`, for an object of this tenant."""
        self._check(inspect(instance))
        super().delete(instance)

    def merge(self, instance: Any, **options: Any) -> Any:  # generic in Session
        """As `Session.merge`, for objects of this tenant and all that they lead to."""
        self._check_cascade([instance], "merge")
        with self._merging():
            return super().merge(instance, **options)

    def merge_all(self, instances: Iterable[Any], **options: Any) -> Sequence[Any]:
        """As `Session.merge_all`, for objects of this tenant."""
        instances = list(instances)
        self._check_cascade(instances, "merge")
        with self._merging():
            return super().merge_all(instances, **options)

    def refresh(self, instance: object, *args: Any, **options: Any) -> None:
        """As `Session.refresh`, for an object of this tenant."""
        self._check(inspect(instance))
        super().refresh(instance, *args, **options)

    def expire(self, instance: object, *args: Any, **options: Any) -> None:
        """As `Session.expire`, for an object of this tenant."""
        self._check(inspect(instance))
        super().expire(instance, *args, **options)

    def bulk_save_objects(self, objects: Iterable[object], *args: Any, **options: Any) -> None:
        """As `Session.bulk_save_objects`, for objects of this tenant, which are marked as its own."""
        objects = list(objects)
        for each in objects:
            self._check(inspect(each))
        super().bulk_save_objects(objects, *args, **options)
        for each in objects:
            self._mark(inspect(each))

    def bulk_insert_mappings(self, mapper: Any, mappings: Iterable[dict[str, Any]], *args: Any, **options: Any) -> None:
        """As `Session.bulk_insert_mappings`; an object's own `__dict__` must be of this tenant's."""
        super().bulk_insert_mappings(mapper, self._checked(mappings), *args, **options)

    def bulk_update_mappings(self, mapper: Any, mappings: Iterable[dict[str, Any]]) -> None:
        """As `Session.bulk_update_mappings`; an object's own `__dict__` must be of this tenant's."""
        super().bulk_update_mappings(mapper, self._checked(mappings))

    def _execute_internal(self, statement: Any, params: Any = None, **options: Any) -> Any:
        # What execute(), scalar() and scalars() all come to.
        if params is not None:
            self._checked([params] if isinstance(params, Mapping) else params)
        return super()._execute_internal(statement, params, **options)

    def bind_mapper(self, mapper: Any, bind: Any) -> NoReturn:  # noqa: ARG002 -- as Session's
        """Refused: a tenant's session has one database."""
        raise WrongTenant("Another bind", belongs_to="(unknown)", current=self.tenant.key)

    def bind_table(self, table: Any, bind: Any) -> NoReturn:  # noqa: ARG002 -- as Session's
        """Refused: a tenant's session has one database."""
        raise WrongTenant("Another bind", belongs_to="(unknown)", current=self.tenant.key)

    def _check_cascade(self, instances: Iterable[Any], cascade: str) -> None:
        for instance in instances:
            state = inspect(instance)
            self._check(state)
            for _, _, reached, _ in state.mapper.cascade_iterator(cascade, state):
                self._check(reached)

    def _checked(self, mappings: Iterable[Any]) -> list[Any]:
        """Mappings are plain values and belong to nobody, unless they were taken from a mapped object."""
        mappings = list(mappings)
        for each in mappings:
            if isinstance(each, Mapping) and isinstance(state := each.get("_sa_instance_state"), InstanceState):
                self._check(state)
        return mappings

    @contextmanager
    def _merging(self) -> Iterator[None]:
        """While SQLAlchemy makes objects with an identity and no stamp yet, as copies of what was checked."""
        before, self._is_merging = self._is_merging, True
        try:
            yield
        finally:
            self._is_merging = before

    def _check(self, state: InstanceState[Any]) -> None:
        owner = state.info.get(_STAMP)
        if owner is None and state.key is not None and not self._is_merging:
            raise WrongTenant(f"A {state.class_.__name__}", belongs_to="(none: no tenant's session loaded it)", current=self.tenant.key)
        if owner is not None and owner[0] != self.tenant.id:
            raise WrongTenant(f"A {state.class_.__name__}", belongs_to=owner[1], current=self.tenant.key)

    def _mark(self, state: InstanceState[Any]) -> None:
        state.info[_STAMP] = (self.tenant.id, self.tenant.key)


def tenant_of(instance: object) -> str | None:
    """The key of the tenant that a mapped object belongs to; None when no tenant's session has seen it."""
    owner = inspect(instance).info.get(_STAMP)
    return None if owner is None else owner[1]


def same_row(one: object, other: object) -> bool:
    """Whether two mapped objects are the same row of the same tenant; objects of two tenants never are, whatever their keys."""
    first, second = inspect(one), inspect(other)
    owners = first.info.get(_STAMP), second.info.get(_STAMP)
    return first.key is not None and first.key == second.key and owners[0] is not None and owners[0] == owners[1]


@event.listens_for(TenantSession, "before_attach")
def _before_attach(session: TenantSession, instance: object) -> None:
    state = inspect(instance)
    session._check(state)
    session._mark(state)


@event.listens_for(TenantSession, "loaded_as_persistent")
def _loaded(session: TenantSession, instance: object) -> None:
    session._mark(inspect(instance))


@event.listens_for(TenantSession, "before_flush")
def _before_flush(session: TenantSession, *_: Any) -> None:
    """Look at what changed relationships lead to: a back reference attaches nothing, and SQLAlchemy would only warn."""
    for instance in (*session.new, *session.dirty):
        state = inspect(instance)
        for name in state.committed_state.keys() & state.mapper.relationships.keys():
            reached = state.dict.get(name)
            for each in reached if isinstance(reached, (list, set, tuple)) else [reached]:
                if isinstance(found := inspect(each, raiseerr=False), InstanceState):
                    session._check(found)
