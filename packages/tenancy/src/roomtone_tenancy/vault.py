"""Secrets at rest: AES-GCM, bound to the row that holds them."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .errors import Undecryptable, UnknownEncryptionKey

_NONCE_BYTES = 12


@dataclass(frozen=True)
class KeyRing:
    """Encryption keys by id: every one can open, the current one seals.

    Args:
        keys: 32 bytes each.
        current: the id of the key for new secrets.

    Raises:
        ValueError: no current key, an id that is empty or has a ':' or ',', or a key of another length.
    """

    keys: Mapping[str, bytes] = field(repr=False)
    current: str

    def __post_init__(self) -> None:
        if self.current not in self.keys:
            raise ValueError(f"The key ring has no key {self.current!r}, which should be the current one.")
        for key_id, key in self.keys.items():
            if not key_id or set(key_id) & set(":,") or len(key) != 32:
                raise ValueError(f"The encryption key {key_id!r} needs an id without ':' and ',' and exactly 32 bytes.")

    @classmethod
    def generate(cls, key_id: str = "k1") -> KeyRing:
        """A ring of one new key."""
        return cls({key_id: secrets.token_bytes(32)}, key_id)

    @classmethod
    def from_text(cls, text: str) -> KeyRing:
        """Read `id:base64,id:base64`, as an environment variable holds it; the first is the current key.

        Raises:
            ValueError: the text has another form.
        """
        keys: dict[str, bytes] = {}
        for part in text.split(","):
            key_id, _, encoded = part.strip().partition(":")
            try:
                keys[key_id] = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                raise ValueError(f"The encryption key {key_id!r} is not base64: write it as id:base64.") from None
        return cls(keys, next(iter(keys)))

    def to_text(self) -> str:
        """What `from_text` reads, with every key in clear: for a secret store, never for a log."""
        ordered = [self.current, *(key_id for key_id in self.keys if key_id != self.current)]
        return ",".join(f"{key_id}:{base64.b64encode(self.keys[key_id]).decode()}" for key_id in ordered)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sealed:
    """A secret as it is stored."""

    key_id: str
    data: bytes


@dataclass(frozen=True)
class Vault:
    """Seals and opens with the ring. Tenant, table and column are authenticated: a ciphertext moved elsewhere does not open."""

    keys: KeyRing

    def seal(self, secret: str, *, tenant: str, table: str, column: str) -> Sealed:
        """Encrypt under the current key."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        cipher = AESGCM(self.keys.keys[self.keys.current])
        data = nonce + cipher.encrypt(nonce, secret.encode(), _bound_to(tenant, table, column))
        return Sealed(key_id=self.keys.current, data=data)

    def open(self, sealed: Sealed, *, tenant: str, table: str, column: str) -> str:
        """Decrypt.

        Raises:
            UnknownEncryptionKey: the ring lacks its key.
            Undecryptable: it was altered, or belongs to another tenant, table or column.
        """
        try:
            key = self.keys.keys[sealed.key_id]
        except KeyError:
            raise UnknownEncryptionKey(sealed.key_id) from None
        nonce, data = sealed.data[:_NONCE_BYTES], sealed.data[_NONCE_BYTES:]
        try:
            return AESGCM(key).decrypt(nonce, data, _bound_to(tenant, table, column)).decode()
        except (InvalidTag, ValueError):
            raise Undecryptable(tenant, column) from None


def _bound_to(tenant: str, table: str, column: str) -> bytes:
    return f"{tenant}|{table}|{column}".encode()
