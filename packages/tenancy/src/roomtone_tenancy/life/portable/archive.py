"""The file itself: a zip, written as rows come, read with a bound on everything, and never unpacked to the disk."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ... import faults
from ...key import random_text
from ..errors import ExportDamaged, NotPortable
from .manifest import BYTES_MAX, TABLES_MAX, Manifest, TablePart
from .tables import Row
from .values import Column, check

MANIFEST = "manifest.json"
LINE_BYTES_MAX = 256 << 20
_DIRECTORY_BYTES_MAX = 2 << 20
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RecursionError, ValueError, RuntimeError, OSError)
_END_BYTES, _END64_BYTES, _LOCATOR_BYTES = 22, 56, 20


class Writer:
    """Fills a new archive."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def table(self, file: str, columns: tuple[Column, ...], rows: Iterator[Row]) -> dict[str, Any]:
        """Write a table's rows, and return what its file is like."""
        digest, size, count, names = hashlib.sha256(), 0, 0, [column.name for column in columns]
        with self._archive.open(_entry(file), "w", force_zip64=True) as target:
            for row in rows:
                line = json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
                if len(line) > LINE_BYTES_MAX:
                    raise NotPortable(file, f"a row has more than {LINE_BYTES_MAX:,} bytes, which only a backup holds")
                target.write(line)
                digest.update(line)
                size, count = size + len(line), count + 1
        return {"rows": count, "bytes": size, "sha256": digest.hexdigest()}

    def manifest(self, manifest: Manifest) -> None:
        """Write it, last."""
        self._archive.writestr(_entry(MANIFEST), manifest.model_dump_json(indent=1))


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """A new archive, which has its name only when it is whole and on the disk.

    Raises:
        FileExistsError: something has this name.
    """
    if path.exists():
        raise FileExistsError(f"{path} is there already: remove it, or give another name.")
    partial = path.with_name(f".{path.name}.{random_text(8)}")
    try:
        with partial.open("xb") as file:
            partial.chmod(0o600)
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
                yield Writer(archive)
            file.flush()
            os.fsync(file.fileno())
        faults.point("export.written")
        os.link(partial, path)  # unlike a rename it never replaces what came there meanwhile
    finally:
        partial.unlink(missing_ok=True)


@dataclass(frozen=True, kw_only=True)
class Archive:
    """An archive that is open.

    Args:
        digest: of the manifest, which says what all else must be.
    """

    path: Path
    manifest: Manifest
    digest: str
    zip: zipfile.ZipFile

    def rows(self, part: TablePart) -> Iterator[Row]:
        """The rows of a table, one at a time; the end is reached only if all of it was as the manifest says.

        Raises:
            ExportDamaged: it was not.
        """
        columns, digest, size, count = part.table.columns, hashlib.sha256(), 0, 0
        with _damage(self.path), self.zip.open(part.file) as source:
            while line := source.readline(LINE_BYTES_MAX + 1):
                digest.update(line)
                size, count = size + len(line), count + 1
                if size > part.bytes or count > part.rows or len(line) > LINE_BYTES_MAX:
                    raise ExportDamaged(str(self.path), f"{part.file} is longer than its manifest says")
                yield _row(line, columns)
        if (count, size, digest.hexdigest()) != (part.rows, part.bytes, part.sha256):
            raise ExportDamaged(str(self.path), f"{part.file} is not what its manifest says")

    def check(self) -> None:
        """Read all of it; otherwise as `rows`."""
        for part in self.manifest.tables:
            for _ in self.rows(part):
                pass


@contextmanager
def reading(path: Path, *, bytes_max: int) -> Iterator[Archive]:
    """The archive, if its directory and its manifest are as they should be.

    Args:
        bytes_max: how long its tables may be together, bytes, when unpacked.

    Raises:
        ExportDamaged: they are not.
        FileNotFoundError: there is none.
    """
    with path.open("rb") as file:
        _check_end(path, file)
        with _damage(path):
            archive = zipfile.ZipFile(file)
        with archive:
            data = _manifest(path, archive)
            with _damage(path):
                manifest = Manifest.model_validate_json(data)
            files = [MANIFEST, *(part.file for part in manifest.tables)]
            if sorted(archive.namelist()) != sorted(files):
                raise ExportDamaged(str(path), "it has other files than its manifest says")
            if any(
                each.flag_bits & 1 or each.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for each in archive.infolist()
            ):
                raise ExportDamaged(str(path), "it is packed in a way that exports are not")
            if (size := sum(part.bytes for part in manifest.tables)) > bytes_max:
                raise ExportDamaged(str(path), f"it has {size:,} bytes and {bytes_max:,} are allowed")
            yield Archive(path=path, manifest=manifest, digest=hashlib.sha256(data).hexdigest(), zip=archive)


def _manifest(path: Path, archive: zipfile.ZipFile) -> bytes:
    if MANIFEST not in archive.namelist():
        raise ExportDamaged(str(path), "it has no manifest.json")
    with _damage(path), archive.open(MANIFEST) as source:
        data = source.read(BYTES_MAX + 1)
    if len(data) > BYTES_MAX:
        raise ExportDamaged(str(path), "its manifest is too long")
    return data


def _check_end(path: Path, file: IO[bytes]) -> None:
    """Bound the directory before `zipfile` reads all of it into memory: how long it is stands at the end of the file."""
    length = file.seek(0, os.SEEK_END)
    start = max(0, length - _END_BYTES - _LOCATOR_BYTES - _END64_BYTES)
    file.seek(start)
    end = file.read()
    record, locator, record64 = end[-_END_BYTES:], end[-_END_BYTES - _LOCATOR_BYTES : -_END_BYTES], end[: -_END_BYTES - _LOCATOR_BYTES]
    if len(record) < _END_BYTES or not record.startswith(b"PK\5\6"):
        raise ExportDamaged(str(path), "it is no zip, or was cut short")
    count, size = int.from_bytes(record[10:12], "little"), int.from_bytes(record[12:16], "little")
    if locator.startswith(b"PK\6\7"):
        if not record64.startswith(b"PK\6\6"):
            raise ExportDamaged(str(path), "its directory is not where it should be")
        count, size = int.from_bytes(record64[32:40], "little"), int.from_bytes(record64[40:48], "little")
    if count > TABLES_MAX + 1 or size > _DIRECTORY_BYTES_MAX:
        raise ExportDamaged(str(path), "its directory is too long")
    file.seek(0)


def _row(line: bytes, columns: tuple[Column, ...]) -> Row:
    value = json.loads(line)
    if not isinstance(value, dict) or list(value) != [column.name for column in columns]:
        raise ValueError("a line has other columns than its table")
    return [check(column.kind, value[column.name]) for column in columns]


def _entry(name: str) -> zipfile.ZipInfo:
    """An entry without a time, so that the same data makes the same file."""
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
    return entry


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Whatever a broken file makes Python's readers say is one fact here."""
    try:
        yield
    except _BROKEN as error:
        raise ExportDamaged(str(path), f"{type(error).__name__}: {str(error)[:200]}") from error
