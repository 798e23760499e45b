"""Run by the tests of key rotation in a process of its own: kills itself at the given row."""

from __future__ import annotations

import os
import signal

from sqlalchemy import create_engine

from roomtone_tenancy import CallableKeys, KeyRing
from roomtone_tenancy.sealed_rows import SealedRows
from roomtone_tenancy.vault import Vault


def main(order):
    ring = KeyRing.from_text(order["keys"])
    calls = iter(range(1, order["killed_at"] + 1))

    def wrap(data_key):
        if next(calls) == order["killed_at"]:
            os.kill(os.getpid(), signal.SIGKILL)
        return ring.wrap(data_key)[1]

    keys = CallableKeys(ring.current, wrap, ring.unwrap)
    SealedRows(catalog=create_engine(order["catalog_url"]), vault=Vault(keys)).rewrap(batch=2, on_progress=None)


main(ORDER)  # noqa: F821 -- given by run_path
