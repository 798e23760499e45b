"""Writes migrations as a script for people to read, or to run by hand."""

from __future__ import annotations

from ..errors import MigrationsInvalid
from ..revisions import Revisions
from ..server import Server
from .tape import NotReplayable, run_blind


def script(revisions: Revisions, server: Server, since: str) -> str:
    """See `Fleet.sql`."""
    dialect = server.parsed.get_dialect()()
    lines: list[str] = []
    before = since
    for revision in revisions.missing(since):
        found = revisions.script.get_revision(revision)
        assert found is not None
        try:
            statements = run_blind(revisions, dialect, found.module.upgrade)
        except NotReplayable as error:
            raise MigrationsInvalid(str(revisions.folder), f"{revision} cannot be written as a script: {error}") from error
        note = f"UPDATE {revisions.version_table} SET version_num = '{revision}' WHERE version_num = '{before}'"  # noqa: S608 -- files
        lines.append(f"-- {before} -> {revision}: {found.doc or ''}".rstrip())
        lines += [f"{statement};" for statement in ("BEGIN", *statements, note, "COMMIT")] + [""]
        before = revision
    return "\n".join(lines)
