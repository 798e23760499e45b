"""Where backups are kept: anything that can write, read, list and remove named streams of bytes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..errors import UnsafePath
from ..key import random_text

CHUNK_BYTES = 1 << 20
_NAME = re.compile(r"[a-z0-9]{1,64}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,127})", re.ASCII)


class Store(Protocol):
    """Names are `folder/name`, of letters, digits and `. _ -`."""

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Keep it under this name: whole and lasting, or not at all. Replaces what has the name."""

    def read(self, name: str) -> Iterator[bytes]:
        """Its bytes in chunks.

        Raises:
            FileNotFoundError: there is none of this name.
        """

    def names(self, folder: str) -> list[str]:
        """Every name that begins with `folder/`, in order."""

    def remove(self, name: str) -> None:
        """Remove it; nothing happens when it is not there."""


@dataclass(frozen=True)
class FolderStore:
    """A folder: of another disk, or of a mounted share. Made at the first backup, with files that only their owner may read."""

    folder: Path

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """See `Store`."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = path.with_name(f".{path.name}.{random_text(8)}")
        try:
            with partial.open("xb") as file:
                partial.chmod(0o600)
                for chunk in chunks:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        _sync(path.parent)

    def read(self, name: str) -> Iterator[bytes]:
        """See `Store`."""
        with self._path(name).open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def names(self, folder: str) -> list[str]:
        """See `Store`. What a kill left half-written has a hidden name, and is none."""
        found = self.folder.joinpath(folder).glob("*")
        return sorted(f"{folder}/{path.name}" for path in found if path.is_file() and not path.name.startswith("."))

    def remove(self, name: str) -> None:
        """See `Store`."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        path = Path(self.folder) / name
        if not _NAME.fullmatch(name) or path.is_symlink() or path.parent.is_symlink():
            raise UnsafePath(str(path))
        return path


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
