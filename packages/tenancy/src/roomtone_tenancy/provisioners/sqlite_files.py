"""The names of tenants' files in their folder: of what is whole, of what stands beside it, and of what is not whole yet."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import UnsafePath
from ..key import random_text

_SUFFIX = ".sqlite3"
_NAME = re.compile(r"[a-z0-9_]{1,63}", re.ASCII)
_COMPANIONS = ("", "-wal", "-shm", "-journal")
_UNFINISHED = ".unfinished"
"""The folder below the server's in which files are made that are not whole yet: few at any time, while the server's may hold thousands."""


def file_of(folder: Path, database: str) -> Path:
    """The database's file in the folder: a name that means the same on every file system, and no door to somewhere else.

    Raises:
        UnsafePath: the name has other characters than ours have, or a link bears it.
    """
    path = folder / f"{database}{_SUFFIX}"
    if not _NAME.fullmatch(database) or path.is_symlink():
        raise UnsafePath(str(path))
    return path


def unfinished(path: Path) -> Path:
    """A new name for what is to become this file, on the same file system."""
    folder = path.parent / _UNFINISHED
    folder.mkdir(exist_ok=True)
    return folder / f"{path.name}.{random_text(8)}"


def cut_off(path: Path) -> list[Path]:
    """What was to become this file, and did not."""
    return [*path.parent.joinpath(_UNFINISHED).glob(f"{path.name}.*")]


def with_companions(path: Path) -> list[Path]:
    """The file and those that SQLite may put beside it."""
    return [Path(f"{path}{end}") for end in _COMPANIONS]


def databases(folder: Path, prefix: str) -> set[str]:
    """The databases of the folder whose names begin so; one that is not whole yet, too."""
    wanted = f"{prefix}*{_SUFFIX}*"
    paths = [*folder.glob(wanted), *folder.joinpath(_UNFINISHED).glob(wanted)]
    return {path.name.partition(_SUFFIX)[0] for path in paths if not path.name.endswith(_COMPANIONS[1:])}
