"""Sixteen threads on Zipf traffic for `--chaos-seconds`: backends killed, connections refused, tenants suspended, passwords replaced."""

from __future__ import annotations

import contextlib
import itertools
import random
import select as readiness
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from roomtone_tenancy import PoolLimits, Server, errors

TENANTS, THREADS, BUDGET = 12, 16, 6
EXPECTED = (errors.BudgetExhausted, errors.TenantUnavailable, OperationalError)


class Proxy:
    """Stands before the server; while `refuses` is set, whoever connects is turned away."""

    def __init__(self, host, port):
        self._server, self._listener = (host, port), socket.create_server(("127.0.0.1", 0))
        self.port, self.refuses = self._listener.getsockname()[1], threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.refuses.is_set():
                    client.close()
                else:
                    threading.Thread(target=self._carry, args=[client], daemon=True).start()

    def _carry(self, client):
        with contextlib.suppress(OSError), client, socket.create_connection(self._server) as server:
            while True:
                for ready in readiness.select([client, server], [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    (server if ready is client else client).sendall(data)

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)  # ends accept(), which close() does not
        self._listener.close()


class Chaos:
    """What goes wrong, and what is watched meanwhile."""

    def __init__(self, site, seconds):
        url = make_url(site.server_url)
        self.proxy = Proxy(url.host, url.port)
        runtime = url.set(port=self.proxy.port).render_as_string(hide_password=False)
        self.site, self.seconds = site, seconds
        limits = PoolLimits(per_tenant=2, per_server=BUDGET, wait_s=2)
        self.tenancy = site.tenancy(servers=[Server("main", site.server_url, runtime_url=runtime)], pools=limits, cache_ttl_s=0.2)
        self.keys = [f"t{number}" for number in range(TENANTS)]
        self.passwords = 0
        self.random, self.seen, self.wrong, self.counts = random.Random(1), Counter(), [], Counter()
        for key in self.keys:
            site.make(self.tenancy, key)
            with self.tenancy.use(key), self.tenancy.session() as session:
                session.add(site.Artist(id=1, name=key))
                session.commit()
        self.databases = [self.tenancy.tenant(key).database for key in self.keys]

    def run(self):
        self.end = time.monotonic() + self.seconds
        with ThreadPoolExecutor(THREADS + 2) as threads:
            work = [threads.submit(self.sample), threads.submit(self.disturb), *(threads.submit(self.serve, n) for n in range(THREADS))]
        for each in work:
            each.result()
        self.proxy.refuses.clear()

    def serve(self, number):
        choose = random.Random(number)
        weights = [1 / rank for rank in range(1, TENANTS + 1)]
        while time.monotonic() < self.end:
            key = choose.choices(self.keys, weights)[0]
            try:
                with self.tenancy.use(key), self.tenancy.session() as session:
                    names = session.scalars(select(self.site.Artist.name)).all()
                    if choose.random() < 0.1:
                        session.get_one(self.site.Artist, 1).name = key
                        session.commit()
            except EXPECTED as error:
                self.seen[type(error).__name__] += 1
                continue
            self.seen["answers"] += 1
            if names != [key]:
                self.wrong.append((key, names))

    def sample(self):
        """What the server itself counts, every 10 ms."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = ANY(%s) AND usename <> current_user"
        with self.site.admin() as admin:
            while time.monotonic() < self.end:
                self.counts[admin.execute(query, [self.databases]).fetchone()[0]] += 1
                time.sleep(0.01)

    def rotate(self, key):
        """A new password while its sessions go on; what is still connecting with the login before is cut off, and comes again."""
        before = self.tenancy._credentials.current(self.tenancy.tenant(key).id)
        role = self.tenancy.secrets.rotate_password(key, drain_s=0)
        assert role != before.role
        self.passwords += 1

    def disturb(self):
        theirs = "FROM pg_stat_activity WHERE datname = ANY(%s) AND usename <> current_user"
        kill = f"SELECT pg_terminate_backend(pid) {theirs} ORDER BY random() LIMIT %s"
        with self.site.admin() as admin:
            self.rotate(self.keys[0])  # however few turns there are
            for turn in itertools.count():
                if time.monotonic() > self.end:
                    return
                what = self.random.choice(["kill", "kill", "kill all", "refuse", "suspend", "rotate", "rotate"])
                self.seen[f"({what})"] += 1
                if what.startswith("kill"):
                    admin.execute(kill, [self.databases, 1 if what == "kill" else 100])
                elif what == "refuse":
                    self.proxy.refuses.set()
                    time.sleep(0.1)
                    self.proxy.refuses.clear()
                elif what == "rotate":
                    self.rotate(self.keys[turn % TENANTS])
                else:
                    key = self.keys[turn % TENANTS]
                    self.site.change(self.tenancy.suspend, key, reason="chaos")
                    time.sleep(0.05)
                    self.site.change(self.tenancy.resume, key, reason="chaos")
                time.sleep(0.1)


@pytest.mark.timeout(3600)
def test_chaos_never_exceeds_the_budget_nor_mixes_tenants(postgres_site, request):
    chaos = Chaos(postgres_site, request.config.getoption("--chaos-seconds"))

    chaos.run()

    print(dict(chaos.seen), dict(sorted(chaos.counts.items())))
    assert chaos.wrong == []
    assert max(chaos.counts) <= BUDGET
    assert chaos.seen["answers"] > 10 * chaos.seconds
    assert chaos.passwords > 0
    report = chaos.tenancy.connections()[0]
    assert (report.lent, report.waiting) == (0, 0)
    for key in chaos.keys:
        with chaos.tenancy.use(key), chaos.tenancy.session() as session:
            assert session.scalars(select(postgres_site.Artist.name)).one() == key
    chaos.proxy.close()
