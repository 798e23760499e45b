"""Backups in a bucket of S3, or of anything that speaks its protocol. Needs the extra `s3`."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..errors import UnsafePath
from .errors import StoreExtraMissing
from .stores import CHUNK_BYTES

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError
except ImportError:
    boto3 = None

PART_BYTES = 16 << 20
PARTS_MAX = 10_000
ATTEMPTS_MAX = 5
_NAME = re.compile(r"[a-z0-9]{1,64}/[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_NOT_THERE = ("NoSuchKey", "404", "NotFound")


@dataclass(frozen=True)
class S3Store:
    """A bucket, or a part of one. Give it a lifecycle rule that aborts incomplete multipart uploads: a kill leaves one behind.

    Args:
        prefix: what every name begins with, as `backups/`; the whole bucket is this store's if it is empty.
        endpoint_url: of another server than Amazon's.
        part_bytes: how large the parts are that a file is sent in, bytes; at least 5 MiB at Amazon, and a file has at most 10,000.
        session: a `boto3.Session` with the credentials; boto3 looks for them if None.

    Raises:
        StoreExtraMissing: boto3 is not installed.
    """

    bucket: str
    prefix: str = ""
    endpoint_url: str | None = None
    part_bytes: int = PART_BYTES
    session: Any = field(default=None, repr=False)  # boto3 ships no types

    def __post_init__(self) -> None:
        if boto3 is None:
            raise StoreExtraMissing("boto3", extra="s3")

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """See `Store`. S3 checks a SHA-256 of each part as it comes, and shows nothing before it has them all."""
        place = {"Bucket": self.bucket, "Key": self._key(name)}
        parts = _parts(chunks, self.part_bytes)
        first = next(parts)
        if len(first) < self.part_bytes:
            self._client.put_object(**place, Body=first, ChecksumSHA256=_sha256(first))
            return
        upload = {**place, "UploadId": self._client.create_multipart_upload(**place, ChecksumAlgorithm="SHA256")["UploadId"]}
        try:
            sent = [self._send(upload, 1, first)]
            for number, part in enumerate(parts, 2):
                if number > PARTS_MAX:
                    raise ValueError(f"{name} needs more than {PARTS_MAX} parts of {self.part_bytes:,} bytes: give a larger part_bytes.")
                sent.append(self._send(upload, number, part))
            self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": sent})
        except BaseException:
            self._client.abort_multipart_upload(**upload)
            raise

    def read(self, name: str) -> Iterator[bytes]:
        """See `Store`. A connection that breaks off is an error, never an end."""
        try:
            answer = self._client.get_object(Bucket=self.bucket, Key=self._key(name), ChecksumMode="ENABLED")
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _NOT_THERE:
                raise FileNotFoundError(name) from error
            raise
        body = answer["Body"]
        try:
            yield from body.iter_chunks(CHUNK_BYTES)
        finally:
            body.close()

    def names(self, folder: str) -> list[str]:
        """See `Store`."""
        start = f"{self.prefix}{folder}/"
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=start)
        keys = (each["Key"].removeprefix(self.prefix) for page in pages for each in page.get("Contents", []))
        return sorted(key for key in keys if _NAME.fullmatch(key))

    def remove(self, name: str) -> None:
        """See `Store`."""
        self._client.delete_object(Bucket=self.bucket, Key=self._key(name))

    def _send(self, upload: dict[str, Any], number: int, part: bytes) -> dict[str, Any]:
        checksum = _sha256(part)
        answer = self._client.upload_part(**upload, PartNumber=number, Body=part, ChecksumSHA256=checksum)
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}

    def _key(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise UnsafePath(name)
        return f"{self.prefix}{name}"

    @cached_property
    def _client(self) -> Any:  # boto3 ships no types
        config = Config(retries={"mode": "standard", "total_max_attempts": ATTEMPTS_MAX}, connect_timeout=10, read_timeout=60)
        return (self.session or boto3.Session()).client("s3", endpoint_url=self.endpoint_url, config=config)


def _parts(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The stream in parts of one size, the last one shorter; there is always one, and only that one may be empty."""
    buffer, is_first = bytearray(), True
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= size:
            yield bytes(buffer[:size])
            del buffer[:size]
            is_first = False
    if buffer or is_first:
        yield bytes(buffer)


def _sha256(part: bytes) -> str:
    return b64encode(hashlib.sha256(part).digest()).decode()
