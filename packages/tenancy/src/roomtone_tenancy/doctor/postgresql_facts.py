"""Asks a PostgreSQL server what it is: four queries on one connection, however many databases it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

_SETTINGS = (
    "max_connections",
    "superuser_reserved_connections",
    "reserved_connections",
    "recovery_init_sync_method",
    "autovacuum",
    "track_counts",
    "autovacuum_naptime",
    "data_directory",
)
_ASK_SETTINGS = "SELECT name, setting, coalesce(enumvals, '{}') FROM pg_settings WHERE name = ANY(%s)"
_ASK_DATABASES = (
    "SELECT datname AS name, datdba::regrole::text AS owner, datallowconn AS is_open, datistemplate AS is_template, "
    "EXISTS (SELECT FROM aclexplode(coalesce(datacl, acldefault('d', datdba))) AS acl "
    "WHERE acl.grantee = 0 AND acl.privilege_type = 'CONNECT') AS is_public, "
    "datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid) AS is_mis_sorted FROM pg_database ORDER BY datname"
)
_ASK_ROLES = (
    "SELECT rolname, rolcanlogin, rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls "
    "FROM pg_roles WHERE starts_with(rolname, %s)"
)
_ASK_ROLE_SETTINGS = (
    "SELECT rolname, datname, setconfig FROM pg_db_role_setting JOIN pg_roles ON pg_roles.oid = setrole "
    "JOIN pg_database ON pg_database.oid = setdatabase WHERE starts_with(rolname, %s)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Database:
    """One database.

    Args:
        is_open: it accepts connections.
        is_public: every role may connect.
        is_mis_sorted: the server's C library sorts otherwise than when its indexes were made.
    """

    name: str
    owner: str
    is_open: bool
    is_template: bool
    is_public: bool
    is_mis_sorted: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Role:
    """One of our roles; a powerful one may do more than belongs to a tenant."""

    may_log_in: bool
    is_powerful: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerFacts:
    """What a server says of itself.

    Args:
        choices: a setting's possible values, where it has a fixed set of them.
        role_settings: by role and database.
    """

    settings: Mapping[str, str]
    choices: Mapping[str, Sequence[str]]
    databases: Mapping[str, Database]
    roles: Mapping[str, Role]
    role_settings: Mapping[tuple[str, str], Mapping[str, str]]


def ask(admin: psycopg.Connection[Any], prefix: str) -> ServerFacts:
    """Everything that the checks of a server need.

    Args:
        prefix: of the names of our roles.
    """
    settings = admin.execute(_ASK_SETTINGS, [list(_SETTINGS)]).fetchall()
    columns = ("name", "owner", "is_open", "is_template", "is_public", "is_mis_sorted")
    databases = [Database(**dict(zip(columns, row, strict=True))) for row in admin.execute(_ASK_DATABASES)]
    roles = admin.execute(_ASK_ROLES, [prefix]).fetchall()
    pairs = admin.execute(_ASK_ROLE_SETTINGS, [prefix]).fetchall()
    return ServerFacts(
        settings={name: value for name, value, _ in settings},
        choices={name: choices for name, _, choices in settings if choices},
        databases={each.name: each for each in databases},
        roles={name: Role(may_log_in=may_log_in, is_powerful=is_powerful) for name, may_log_in, is_powerful in roles},
        role_settings={(role, database): dict(map(_setting, config)) for role, database, config in pairs},
    )


def _setting(text: str) -> tuple[str, str]:
    """Its name as everybody writes it: some are kept with capitals."""
    name, _, value = text.partition("=")
    return name.lower(), value
