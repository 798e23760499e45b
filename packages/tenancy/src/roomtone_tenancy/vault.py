"""Secrets at rest: each under a data key of its own, bound to the row that holds it.

A sealed secret is one format byte, the length of the wrapped data key (two bytes, most significant first), the wrapped data key,
a nonce of 12 bytes, and the ciphertext of AES-256-GCM with its tag.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .errors import KeyProviderFailed, Undecryptable
from .key_providers import KEY_BYTES, KeyProvider

_FORMAT = b"\x01"
_NONCE_BYTES = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Sealed:
    """A secret as it is stored; `key_id` names the master key that its data key is wrapped under."""

    key_id: str
    data: bytes


class SealedLogin(NamedTuple):
    """A database role and its password."""

    role: str
    password: Sealed


@dataclass(frozen=True)
class Vault:
    """Seals and opens. Tenant, table and column are authenticated: a ciphertext moved elsewhere does not open."""

    keys: KeyProvider

    def seal(self, secret: str, *, tenant: str, table: str, column: str) -> Sealed:
        """Encrypt under a new data key, wrapped under the current master key.

        Args:
            tenant: the id of the tenant, or of what else the row is about: a server's name, a spare's id.

        Raises:
            KeyProviderFailed: the key provider did not answer.
        """
        data_key, nonce = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(_NONCE_BYTES)
        payload = nonce + AESGCM(data_key).encrypt(nonce, secret.encode(), bound_to(tenant, table, column))
        return self._wrap(data_key, payload)

    def open(self, sealed: Sealed, *, tenant: str, table: str, column: str) -> str:
        """Decrypt.

        Raises:
            UnknownEncryptionKey: the provider lacks its master key.
            KeyProviderFailed: the key provider did not answer.
            Undecryptable: it was altered, or belongs to another tenant, table or column.
        """
        try:
            data_key, payload = self._unwrap(sealed)
            nonce, ciphertext = payload[:_NONCE_BYTES], payload[_NONCE_BYTES:]
            return AESGCM(data_key).decrypt(nonce, ciphertext, bound_to(tenant, table, column)).decode()
        except (InvalidTag, ValueError):
            raise Undecryptable(tenant, column) from None

    def rewrap(self, sealed: Sealed) -> Sealed:
        """The same ciphertext, its data key wrapped under the current master key: the secret itself is never in clear.

        A new data key would protect nothing more: who has the old master key and an old copy of the row has the secret already.

        Raises:
            UnknownEncryptionKey, KeyProviderFailed: as for `open`.
            ValueError: the data key was altered.
        """
        return self._wrap(*self._unwrap(sealed))

    def _wrap(self, data_key: bytes, payload: bytes) -> Sealed:
        key_id, wrapped = self.keys.wrap(data_key)
        if len(wrapped) >= 1 << 16:
            raise KeyProviderFailed(key_id, "wrap") from ValueError("The wrapped data key is longer than 65,535 bytes.")
        return Sealed(key_id=key_id, data=_FORMAT + len(wrapped).to_bytes(2) + wrapped + payload)

    def _unwrap(self, sealed: Sealed) -> tuple[bytes, bytes]:
        data = sealed.data
        end = 3 + int.from_bytes(data[1:3])
        if data[:1] != _FORMAT or end >= len(data):
            raise ValueError("This is no sealed secret.")
        data_key = self.keys.unwrap(sealed.key_id, data[3:end])
        if len(data_key) != KEY_BYTES:
            raise KeyProviderFailed(sealed.key_id, "unwrap") from ValueError(f"A data key has {KEY_BYTES} bytes, not {len(data_key)}.")
        return data_key, data[end:]


def bound_to(tenant: str, table: str, column: str) -> bytes:
    """What a ciphertext is authenticated with: different for every different place, since each part carries its length."""
    return b"".join(len(part).to_bytes(4) + part for part in (_FORMAT, tenant.encode(), table.encode(), column.encode()))
