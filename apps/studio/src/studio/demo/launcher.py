"""Starts the whole demo on one machine, says what it does as it does it, and stops all of it again."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console

from studio import frontend, wiring
from studio.app import create_app
from studio.config import Settings
from studio.control import control_database, embedded_server
from studio.demo import seed, tour
from studio.demo.processes import Processes
from studio.errors import SetupError
from studio.services import Services

WEBHOOK_SECRET = "whsec_offline"  # noqa: S105  # the offline Stripe's; no real door opens with it
READY_WITHIN_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Demo:
    """What `studio demo` was asked for.

    Attributes:
        port: of the web server; the offline Stripe takes the next one.
        data: the folder that keeps everything.
        fresh: forget what the folder held.
    """

    port: int
    data: Path
    fresh: bool
    database_url: str | None = None

    @property
    def stripe_port(self) -> int:
        """The offline Stripe's port."""
        return self.port + 1

    @property
    def stripe_url(self) -> str:
        """The offline Stripe's address, as its own pages write it: our content security policy lets forms lead there."""
        return f"http://127.0.0.1:{self.stripe_port}"

    def settings(self) -> Settings:
        """The app's settings in the demo; what the environment says of mail and the AI model holds."""
        return Settings(
            database_url=SecretStr(self.database_url) if self.database_url else None,
            data=self.data,
            host=f"localhost:{self.port}",
            scheme="http",
            stripe_api_key=SecretStr("sk_test_offline"),
            stripe_webhook_secrets=SecretStr(WEBHOOK_SECRET),
            stripe_url=self.stripe_url,
            demo=True,
        )


@contextmanager
def running(demo: Demo, console: Console) -> Iterator[tuple[Services, Processes]]:
    """The demo, up and seeded, for the length of the block; everything it started is stopped at the end.

    Raises:
        SetupError: it cannot start; the message says why and what to do.
    """
    demo.data.mkdir(parents=True, exist_ok=True)
    processes = Processes(demo.data)
    with ExitStack() as stack:
        _clear_the_way(demo, processes, console)
        settings = demo.settings()
        with _step(console, "Front end"):
            frontend.build()
        with _step(console, "PostgreSQL" + (" (the one DATABASE_URL names)" if demo.database_url else " (embedded)")):
            if not demo.database_url:
                stack.callback(embedded_server(settings).stop)  # also one that a killed demo left and this one took over
            url = stack.enter_context(control_database(settings))
        stack.callback(processes.stop)  # before the database that they use goes
        services = wiring.build(settings, database_url=url)
        stack.callback(services.database.engine.dispose)
        stack.callback(services.database.tenancy.dispose)
        with _step(console, "Control database and the template of new studios"):
            wiring.install_schemas(services)
            services.database.tenancy.migrate()
        _start_processes(demo, url, processes, services, console)
        with _step(console, "Demo studios"):
            seed.plant(services, create_app(services).platform)
        yield services, processes


def serve(demo: Demo, console: Console) -> None:
    """Run the demo until Ctrl-C."""
    began = time.monotonic()
    with running(demo, console) as (services, processes):
        console.print(f"\n[bold green]Up in {time.monotonic() - began:.1f} s.[/] Ctrl-C stops everything; the data stays in {demo.data}.\n")
        tour.show(services.settings, demo.stripe_url, console)
        try:
            processes.watch(lambda sentence: console.print(f"[yellow]{sentence}[/]"))
        except KeyboardInterrupt:
            console.print("\nStopping …")
    console.print("Stopped.")


def _clear_the_way(demo: Demo, processes: Processes, console: Console) -> None:
    """Stop what an earlier demo left, forget its data if asked, and make sure that the ports are free."""
    left = processes.stop_leftovers()
    if left:
        console.print(f"  Stopped {left} processes of an earlier demo.")
    if demo.fresh:
        if demo.database_url:
            raise SetupError("--fresh would drop databases of a server that is not the demo's. Unset DATABASE_URL, or drop them yourself.")
        embedded_server(demo.settings()).stop()
        for name in ("postgres", "secrets", "stripe.sqlite", "logs"):
            path = demo.data / name
            if path.is_dir():
                shutil.rmtree(path)
            for file in demo.data.glob(f"{name}*"):
                file.unlink()
    for port, what in ((demo.port, "web server"), (demo.stripe_port, "offline Stripe")):
        if not _is_free(port):
            raise SetupError(
                f"Port {port}, meant for the {what}, is taken. Stop what uses it, or choose another: studio demo --port {port + 10}"
            )


def _start_processes(demo: Demo, url: str, processes: Processes, services: Services, console: Console) -> None:
    settings = services.settings
    environment = {
        "DATABASE_URL": url,
        "STUDIO_DATA": str(demo.data.resolve()),
        "STUDIO_HOST": settings.host,
        "STUDIO_STRIPE_API_KEY": settings.stripe_api_key.get_secret_value(),
        "STUDIO_STRIPE_WEBHOOK_SECRETS": WEBHOOK_SECRET,
        "STUDIO_STRIPE_URL": demo.stripe_url,
        "STUDIO_DEMO": "true",
    }
    program = [sys.executable, "-m", "studio"]
    stripe_command = [sys.executable, "-m", "roomtone_billing", "offline-stripe", "--port", str(demo.stripe_port)]
    stripe_command += ["--store", str(demo.data.resolve() / "stripe.sqlite"), "--business", "roomtone"]
    stripe_command += ["--webhook-url", f"{settings.url}/webhooks/stripe", "--webhook-secret", WEBHOOK_SECRET]
    mark = demo.data / "worker.ready"
    mark.unlink(missing_ok=True)
    # All three begin at once, since each spends its start on imports; then each is waited for.
    stripe = processes.start("offline-stripe", stripe_command, {})
    web = processes.start("web", [*program, "serve", "--bind", f"127.0.0.1:{demo.port}"], environment)
    worker = processes.start("worker", [*program, "worker", "--ready-file", str(mark)], environment)
    with _step(console, "Offline Stripe, with the plans"):
        processes.wait_for(stripe, _answers(demo.stripe_port, "/offline"), within_s=READY_WITHIN_S)
        services.billing.publish()
    with _step(console, "Web server"):
        processes.wait_for(web, _answers(demo.port, "/healthz", settings.host), within_s=READY_WITHIN_S)
    with _step(console, "Job worker"):
        processes.wait_for(worker, mark.exists, within_s=READY_WITHIN_S)


@contextmanager
def _step(console: Console, what: str) -> Iterator[None]:
    """Show what goes on, then how long it took."""
    began = time.monotonic()
    with console.status(f"{what} …"):
        yield
    console.print(f"  [green]✓[/] {what:<52} {time.monotonic() - began:6.1f} s")


def _answers(port: int, path: str, host: str | None = None) -> Callable[[], bool]:
    """A check whether a page of the process answers with success."""

    def asks() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path, headers={"Host": host or f"localhost:{port}"})
            return connection.getresponse().status < 400
        except OSError:
            return False
        finally:
            connection.close()

    return asks


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
