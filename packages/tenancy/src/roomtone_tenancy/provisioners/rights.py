"""Who may do what within a tenant's PostgreSQL database."""

from __future__ import annotations

import psycopg
from psycopg import sql

from . import Place

_PROTECTED = ("tenancy_stamp", "alembic_version")
_SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' ORDER BY nspname"


def grant_rights(inside: psycopg.Connection, place: Place) -> None:
    """Give a clone to its owner, and the runtime role its rights, in one transaction."""
    for (maker,) in inside.execute("SELECT DISTINCT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'public'").fetchall():
        if maker != place.owner:
            inside.execute(quoted("REASSIGN OWNED BY {} TO {}", maker, place.owner))
    for (schema,) in inside.execute(_SCHEMAS).fetchall():
        _grant(inside, schema, place.runtime)
    _grant_future(inside, place.owner, place.runtime)
    inside.execute(quoted("GRANT UPDATE (seeded_at) ON tenancy_stamp TO {}", place.runtime))
    inside.commit()


def _grant(inside: psycopg.Connection, schema: str, runtime: str) -> None:
    inside.execute(quoted("REVOKE ALL ON SCHEMA {} FROM PUBLIC", schema))
    inside.execute(quoted("GRANT USAGE ON SCHEMA {} TO {}", schema, runtime))
    inside.execute(quoted("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {} TO {}", schema, runtime))
    inside.execute(quoted("GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA {} TO {}", schema, runtime))
    for table in _PROTECTED if schema == "public" else ():
        inside.execute(quoted("REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {} FROM {}", table, runtime))


def _grant_future(inside: psycopg.Connection, owner: str, runtime: str) -> None:
    """Tables of later migrations are granted as they are made."""
    for grant in ("SELECT, INSERT, UPDATE, DELETE ON TABLES", "USAGE, SELECT, UPDATE ON SEQUENCES", "USAGE ON SCHEMAS"):
        inside.execute(quoted(f"ALTER DEFAULT PRIVILEGES FOR ROLE {{}} GRANT {grant} TO {{}}", owner, runtime))


def quoted(statement: str, *names: str) -> sql.Composed:
    """A statement with these names in its braces."""
    return sql.SQL(statement).format(*map(sql.Identifier, names))
