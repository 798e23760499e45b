"""Run by the test of cold tenants in a process of its own: visits each tenant once, prints memory and file descriptors now and then.

Standard input is JSON: the Tenancy's facts, the keys in their order, and after how many of them to look.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path

from sqlalchemy import create_engine, text

from roomtone_tenancy import KeyRing, PoolLimits, Server, Tenancy


def look() -> dict[str, int]:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {"rss": pages * os.sysconf("SC_PAGE_SIZE"), "files": len(list(Path("/proc/self/fd").iterdir()))}


def main(order: dict) -> None:
    tenancy = Tenancy(
        create_engine(order["catalog_url"]),
        servers=[Server("main", order["server_url"])],
        migrations=Path(order["migrations"]),
        keys=KeyRing.from_text(order["keys"]),
        pools=PoolLimits(per_server=10, engines=100),
        cache_entries_max=200,
        listen=False,  # its thread connects some time after the first look
    )
    looks = []
    for number, key in enumerate(order["visits"], 1):
        with tenancy.use(key), tenancy.session() as session:
            assert session.scalar(text("SELECT count(*) FROM artist")) == 0
        if number in order["look_after"]:
            looks.append(look())
    print(json.dumps(looks))


main(json.load(sys.stdin))
