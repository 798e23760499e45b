"""Encrypts a stream in frames: AES-256-GCM under a data key of its own, each frame bound to tenant, backup, position and end.

A sealed stream is `RTB1`, then twice a length of two bytes with that many bytes (the master key's id; the wrapped data key), then frames:
four bytes, the highest bit of which marks the last frame, the others its length; then the ciphertext with its tag. A frame's nonce is its
position: the data key seals nothing else.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..key_providers import KEY_BYTES, KeyProvider
from ..vault import bound_to
from .errors import BackupDamaged

MAGIC = b"RTB1"
FRAME_BYTES = 1 << 20
_LAST = 1 << 31
_TAG_BYTES = 16


def seal(chunks: Iterable[bytes], keys: KeyProvider, *, tenant: str, backup: str) -> Iterator[bytes]:
    """The stream, sealed.

    Raises:
        KeyProviderFailed: the key provider did not answer.
    """
    data_key = secrets.token_bytes(KEY_BYTES)
    key_id, wrapped = keys.wrap(data_key)
    yield MAGIC + b"".join(len(part).to_bytes(2) + part for part in (key_id.encode(), wrapped))
    cipher = AESGCM(data_key)
    for index, (frame, is_last) in enumerate(_frames(chunks)):
        sealed = cipher.encrypt(index.to_bytes(12), frame, _bound(tenant, backup, index, is_last=is_last))
        yield (len(sealed) | (_LAST if is_last else 0)).to_bytes(4) + sealed


def unseal(chunks: Iterable[bytes], keys: KeyProvider, *, tenant: str, backup: str) -> Iterator[bytes]:
    """What was sealed, frame by frame: each is given out only when it is proved to be this one, of this backup, of this tenant.

    Raises:
        BackupDamaged: it was altered, cut short, continued, or is another tenant's.
        UnknownEncryptionKey, KeyProviderFailed: its master key cannot be had.
    """
    reader = _Reader(chunks, backup)
    if reader.take(len(MAGIC)) != MAGIC:
        raise BackupDamaged(backup, "it does not begin as a backup does")
    key_id, wrapped = (reader.take(int.from_bytes(reader.take(2))) for _ in range(2))
    try:
        cipher = AESGCM(keys.unwrap(key_id.decode(), wrapped))
    except ValueError as error:
        raise BackupDamaged(backup, "its key was altered") from error
    index, is_last = 0, False
    while not is_last:
        head = int.from_bytes(reader.take(4))
        is_last, length = bool(head & _LAST), head & ~_LAST
        if length > FRAME_BYTES + _TAG_BYTES:
            raise BackupDamaged(backup, f"its frame {index} is too long")
        try:
            yield cipher.decrypt(index.to_bytes(12), reader.take(length), _bound(tenant, backup, index, is_last=is_last))
        except InvalidTag:
            raise BackupDamaged(backup, f"its frame {index} was altered, or belongs to another tenant or backup") from None
        index += 1
    if not reader.is_at_end():
        raise BackupDamaged(backup, "it goes on after its end")


def _bound(tenant: str, backup: str, index: int, *, is_last: bool) -> bytes:
    return bound_to(tenant, f"backup {backup}", f"{index} {'last' if is_last else 'more'}")


def _frames(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Frames of one size, the last one marked; there is always one."""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) > FRAME_BYTES:
            yield bytes(buffer[:FRAME_BYTES]), False
            del buffer[:FRAME_BYTES]
    yield bytes(buffer), True


class _Reader:
    def __init__(self, chunks: Iterable[bytes], backup: str) -> None:
        self._chunks, self._backup, self._buffer = iter(chunks), backup, bytearray()

    def take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            chunk = next(self._chunks, None)
            if chunk is None:
                raise BackupDamaged(self._backup, "it is cut short")
            self._buffer += chunk
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def is_at_end(self) -> bool:
        return not self._buffer and not any(self._chunks)
