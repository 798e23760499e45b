"""What is wrong with a folder of tenants' files."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from ..provisioners.sqlite_files import file_of
from ..sites import Site
from .expected import Expected
from .findings import Finding, Severity, shell


@dataclass(frozen=True, kw_only=True)
class FolderChecks:
    """Those of one folder."""

    site: Site

    @property
    def path(self) -> Path:
        """Where the files are."""
        return Path(self.site.server.parsed.database or ".").resolve()

    def modes(self, tenants: Sequence[Expected]) -> Iterator[Finding]:
        """Files that other users of the machine may read or write."""
        for it in tenants:
            path = file_of(self.path, it.database)
            if path.exists() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                yield Finding(
                    check="mode",
                    severity=Severity.ERROR,
                    subject=it.key,
                    what=f"other users of the machine may open its file (mode {stat.S_IMODE(path.stat().st_mode):o}).",
                    why="A file has no password: its mode is all that keeps it.",
                    fix=shell(f"chmod 600 {quote(str(path))}"),
                )
