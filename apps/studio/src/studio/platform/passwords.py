"""Passwords: Argon2id at OWASP's floor, and never more than two hashes at once in one process.

Source: OWASP Password Storage Cheat Sheet (m=19 MiB, t=2, p=1). A hash here costs tens of milliseconds and 19 MiB,
so callers apply `throttle` first, and the semaphore bounds memory whatever comes.
"""

from __future__ import annotations

from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask_babel import gettext as _

from studio.errors import BadInput

LENGTH_MIN = 10
LENGTH_MAX = 256
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_at_once = BoundedSemaphore(2)
_decoy = _hasher.hash("nobody's password")


def hash_password(password: str) -> str:
    """The hash to keep.

    Raises:
        BadInput: shorter than 10 characters or longer than 256.
    """
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        raise BadInput("password", _("Use between %(least)s and %(most)s characters.", least=LENGTH_MIN, most=LENGTH_MAX))
    with _at_once:
        return _hasher.hash(password)


def is_correct(password: str, kept_hash: str | None) -> bool:
    """Whether the password is right. With no account (None) the same work is done, so that time tells nothing."""
    with _at_once:
        try:
            _hasher.verify(kept_hash or _decoy, password[:LENGTH_MAX])
        except (VerificationError, InvalidHashError):
            return False
    return kept_hash is not None
