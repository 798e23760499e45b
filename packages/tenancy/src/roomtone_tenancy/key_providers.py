"""Where the keys that encrypt the catalog's secrets come from: text, a file, or a key management service."""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .errors import KeyProviderFailed, KeysInvalid, UnknownEncryptionKey, VaultError

KEY_BYTES = 32
_NONCE_BYTES = 12
_KEY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@-]{0,62}", re.ASCII)


class KeyProvider(Protocol):
    """Wraps the random data key of each secret under a master key that it keeps to itself."""

    @property
    def current(self) -> str:
        """The id of the master key for new secrets: at most 63 characters, stored beside each secret, no secret itself."""

    def wrap(self, data_key: bytes) -> tuple[str, bytes]:
        """Encrypt a data key of 32 bytes; returns the master key's id and at most 65,535 bytes.

        Raises:
            KeyProviderFailed: the service did not answer.
        """

    def unwrap(self, key_id: str, wrapped: bytes) -> bytes:
        """Give the data key back.

        Raises:
            UnknownEncryptionKey: there is no master key of this id, or no longer.
            KeyProviderFailed: the service did not answer.
            ValueError: these are not the bytes that `wrap` gave for this id.
        """


@dataclass(frozen=True)
class KeyRing:
    """Master keys in memory by id: every one can open, the current one seals.

    Args:
        keys: 32 bytes each.
        current: the id of the key for new secrets.

    Raises:
        KeysInvalid: no current key, an id that breaks the rules, or a key of another length.
    """

    keys: Mapping[str, bytes] = field(repr=False)
    current: str

    def __post_init__(self) -> None:
        # No message shows what an id should have been: in a mistyped text a key may stand in its place.
        for position, (key_id, key) in enumerate(self.keys.items(), 1):
            if not _KEY_ID.fullmatch(key_id):
                raise KeysInvalid("the key ring", f"encryption key {position} needs an id of 1 to 63 letters, digits and . _ / @ -")
            if len(key) != KEY_BYTES:
                raise KeysInvalid("the key ring", f"encryption key {position} has {len(key)} bytes and needs {KEY_BYTES}")
        if self.current not in self.keys:
            raise KeysInvalid("the key ring", "it has no encryption key of the id that should be the current one")

    @classmethod
    def generate(cls, key_id: str = "k1") -> KeyRing:
        """A ring of one new key."""
        return cls({key_id: secrets.token_bytes(KEY_BYTES)}, key_id)

    @classmethod
    def from_text(cls, text: str) -> KeyRing:
        """Read `id:base64` separated by commas or white space; the first is the current key.

        Raises:
            KeysInvalid: the text has another form.
        """
        return cls._read(text, "the key ring's text")

    @classmethod
    def from_env(cls, variable: str, environ: Mapping[str, str]) -> KeyRing:
        """Read what `from_text` reads from one variable of the environment, which the host passes: `os.environ`.

        Raises:
            KeysInvalid: the variable is missing, or its text has another form.
        """
        text = environ.get(variable)
        if not text:
            raise KeysInvalid(variable, "there is no such variable, or it is empty: it should hold encryption keys as id:base64")
        return cls._read(text, variable)

    @classmethod
    def from_file(cls, path: Path | str) -> KeyRing:
        """Read what `from_text` reads from a file that only its owner may read.

        Raises:
            KeysInvalid: the file is missing or open to other users, or its text has another form.
        """
        try:
            with Path(path).open(encoding="ascii") as file:
                mode = os.fstat(file.fileno()).st_mode  # of the file that is read, whatever its name means a moment later
                if os.name == "posix" and (not stat.S_ISREG(mode) or mode & 0o077):
                    raise KeysInvalid(str(path), f"others may read its encryption keys: chmod 600 {path}, and replace keys that were read")
                text = file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise KeysInvalid(str(path), f"its encryption keys cannot be read ({type(error).__name__})") from None
        return cls._read(text, str(path))

    @classmethod
    def _read(cls, text: str, source: str) -> KeyRing:
        keys: dict[str, bytes] = {}
        for position, part in enumerate(re.split(r"[,\s]+", text.strip()), 1):
            key_id, colon, encoded = part.partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError):
                key = b""
            if not colon or not key or key_id in keys:
                raise KeysInvalid(source, f"encryption key {position} is not written as id:base64, or its id is there twice")
            keys[key_id] = key
        return cls(keys, next(iter(keys)))

    def to_text(self) -> str:
        """What `from_text` reads, with every key in clear: for a secret store, never for a log."""
        ordered = [self.current, *(key_id for key_id in self.keys if key_id != self.current)]
        return ",".join(f"{key_id}:{base64.b64encode(self.keys[key_id]).decode()}" for key_id in ordered)

    def wrap(self, data_key: bytes) -> tuple[str, bytes]:
        """See `KeyProvider.wrap`."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return self.current, nonce + AESGCM(self.keys[self.current]).encrypt(nonce, data_key, _bound_to(self.current))

    def unwrap(self, key_id: str, wrapped: bytes) -> bytes:
        """See `KeyProvider.unwrap`."""
        if key_id not in self.keys:
            raise UnknownEncryptionKey(key_id)
        try:
            return AESGCM(self.keys[key_id]).decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], _bound_to(key_id))
        except InvalidTag:
            raise ValueError("The wrapped data key was altered.") from None


def _bound_to(key_id: str) -> bytes:
    return b"roomtone data key\0" + key_id.encode()


class CallableKeys:
    """A key management service behind two functions. Data keys that it unwrapped are remembered for a while,
    so that it is not asked for each tenant that wakes up.

    Args:
        current: the id of the master key for new secrets.
        wrap: encrypts 32 bytes under the current master key.
        unwrap: given a master key's id and what `wrap` returned, decrypts; `ValueError` when the bytes were altered,
            `UnknownEncryptionKey` when there is no such key. Anything else that either raises becomes `KeyProviderFailed`.
        ttl_s: how long a data key is remembered, seconds; 0 for not at all.
        entries_max: how many are, at most.
        monotonic: seconds that only grow.
    """

    def __init__(
        self,
        current: str,
        wrap: Callable[[bytes], bytes],
        unwrap: Callable[[str, bytes], bytes],
        *,
        ttl_s: float = 300.0,
        entries_max: int = 10_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not _KEY_ID.fullmatch(current):
            raise KeysInvalid("CallableKeys", "an encryption key's id needs 1 to 63 letters, digits and . _ / @ -")
        self.current = current
        self._wrap, self._unwrap = wrap, unwrap
        self._ttl_s, self._entries_max, self._monotonic = ttl_s, entries_max, monotonic
        self._lock = threading.Lock()
        self._remembered: OrderedDict[tuple[str, bytes], tuple[float, bytes]] = OrderedDict()  # eldest first: all live equally long

    def __repr__(self) -> str:
        """The id of the key, never what is remembered."""
        return f"CallableKeys(current={self.current!r})"

    def wrap(self, data_key: bytes) -> tuple[str, bytes]:
        """See `KeyProvider.wrap`."""
        try:
            return self.current, self._wrap(data_key)
        except VaultError:
            raise
        except Exception as error:
            raise KeyProviderFailed(self.current, "wrap") from error

    def unwrap(self, key_id: str, wrapped: bytes) -> bytes:
        """See `KeyProvider.unwrap`."""
        name, now = (key_id, wrapped), self._monotonic()
        with self._lock:
            ends_at, data_key = self._remembered.get(name, (now, b""))
            if ends_at > now:
                return data_key
        try:
            data_key = self._unwrap(key_id, wrapped)
        except (VaultError, ValueError):
            raise
        except Exception as error:
            raise KeyProviderFailed(key_id, "unwrap") from error
        self._remember(name, data_key, now)
        return data_key

    def _remember(self, name: tuple[str, bytes], data_key: bytes, now: float) -> None:
        with self._lock:
            self._remembered.pop(name, None)
            self._remembered[name] = (now + self._ttl_s, data_key)
            while self._remembered and (len(self._remembered) > self._entries_max or next(iter(self._remembered.values()))[0] <= now):
                self._remembered.popitem(last=False)
