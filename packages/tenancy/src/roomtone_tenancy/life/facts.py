"""Facts that nobody can alter or invent unnoticed: their digest is sealed under a master key and bound to the tenant."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ..errors import Undecryptable
from ..vault import Sealed, Vault

SEAL = "seal"


def sealed(vault: Vault, facts: Mapping[str, Any], *, tenant: str, purpose: str) -> dict[str, Any]:
    """The facts (JSON values) with their seal among them.

    Raises:
        KeyProviderFailed: the key provider did not answer.
    """
    seal = vault.seal(_digest(facts), tenant=tenant, table=purpose, column=SEAL)
    return {**facts, SEAL: {"key_id": seal.key_id, "data": base64.b64encode(seal.data).decode()}}


def is_true(vault: Vault, facts: Mapping[str, Any], *, tenant: str, purpose: str) -> bool:
    """Whether these are the facts that were sealed, for this tenant and purpose.

    Raises:
        UnknownEncryptionKey, KeyProviderFailed: the master key cannot be had.
    """
    try:
        seal = Sealed(key_id=facts[SEAL]["key_id"], data=base64.b64decode(facts[SEAL]["data"], validate=True))
        return vault.open(seal, tenant=tenant, table=purpose, column=SEAL) == _digest(facts)
    except (KeyError, TypeError, ValueError, Undecryptable):
        return False


def _digest(facts: Mapping[str, Any]) -> str:
    bare = {name: value for name, value in facts.items() if name != SEAL}
    return hashlib.sha256(json.dumps(bare, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
