"""Checks the four wheels: what they hold, and that they install and import alone.

`python -m tests.wheels FOLDER`, after `uv build --all-packages --wheel --out-dir FOLDER`; exits 1 and says what is wrong.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
LIBRARIES = ("roomtone_tenancy", "roomtone_billing", "roomtone_ai_credits")
# For each wheel, patterns of which each must match a file in it.
HOLDS = {
    "roomtone_tenancy": [r"roomtone_tenancy/py\.typed", r"roomtone_tenancy/migrations/versions/\w+\.py"],
    "roomtone_billing": [
        r"roomtone_billing/py\.typed",
        r"roomtone_billing/migrations/env\.py",
        r"roomtone_billing/migrations/versions/\w+\.py",
        r"roomtone_billing/offline/pages/templates/.+\.html",
        r"roomtone_billing/offline/pages/static/.+\.css",
        r"roomtone_billing/offline/data/.+\.json(\.\w+)?",
    ],
    "roomtone_ai_credits": [
        r"roomtone_ai_credits/py\.typed",
        r"roomtone_ai_credits/migrations/env\.py",
        r"roomtone_ai_credits/migrations/versions/\w+\.py",
    ],
    "roomtone_studio": [
        r"studio/py\.typed",
        r"studio/migrations/control/env\.py",
        r"studio/migrations/control/versions/\w+\.py",
        r"studio/migrations/tenant/versions/\w+\.py",
        r"studio/web/templates/layout\.html",
        r"studio/platform/templates/.+\.html",
        r"studio/contexts/scheduling/templates/.+\.html",
        r"studio/web/static/dist/manifest\.json",
        r"studio/web/static/dist/app.*\.js",
        r"studio/web/static/dist/app.*\.css",
        r"studio/translations/fr/LC_MESSAGES/messages\.mo",
    ],
}
EVERY = [r"[\w.-]+\.dist-info/licenses/LICENSE", r"[\w.-]+\.dist-info/METADATA"]
NEVER = re.compile(r"(^|/)(tests?|node_modules|__pycache__|changelog\.d)/|\.(pyc|map)$")


def missing(name: str, wheel: Path) -> list[str]:
    """What the wheel should hold and does not, and what it holds and should not."""
    files = zipfile.ZipFile(wheel).namelist()
    wanted = [*HOLDS[name], *EVERY]
    faults = [f"{wheel.name} holds nothing like {pattern}" for pattern in wanted if not any(re.fullmatch(pattern, file) for file in files)]
    return faults + [f"{wheel.name} holds {file}" for file in files if NEVER.search(file)]


def same_templates(wheel: Path) -> list[str]:
    """Templates of the source tree that the app's wheel lacks."""
    source = ROOT / "apps/studio/src"
    held = set(zipfile.ZipFile(wheel).namelist())
    kinds = ("*.html", "*.txt")
    paths = (path.relative_to(source).as_posix() for kind in kinds for path in source.rglob(kind) if "templates" in path.parts)
    return [f"{wheel.name} lacks {path}" for path in paths if path not in held]


def run_alone(wheels: list[Path], code: list[list[str]]) -> list[str]:
    """Install the wheels into an environment of their own and run commands in it, from an empty folder."""
    with tempfile.TemporaryDirectory(prefix="roomtone-wheels-") as folder:
        python = Path(folder) / "venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        commands = [
            ["uv", "venv", "--quiet", "--python", sys.executable, str(python.parents[1])],
            ["uv", "pip", "install", "--quiet", "--python", str(python), *map(str, wheels)],
            *([str(python.parent / program), *arguments] for program, *arguments in code),
        ]
        for command in commands:
            done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder)
            if done.returncode:
                return [f"{' '.join(wheel.name for wheel in wheels)}: {' '.join(command)} failed:\n{done.stderr or done.stdout}"]
    return []


def main(folder: Path) -> int:
    """Check all; say what is wrong."""
    wheels = {name: sorted(folder.resolve().glob(f"{name}-*.whl")) for name in HOLDS}
    if wrong := [f"{name}: {len(found)} wheels in {folder}, one is needed" for name, found in wheels.items() if len(found) != 1]:
        print("\n".join(wrong), file=sys.stderr)
        return 1
    built = {name: found[0] for name, found in wheels.items()}
    faults = [fault for name, wheel in built.items() for fault in missing(name, wheel)] + same_templates(built["roomtone_studio"])
    for name in LIBRARIES:
        others = [other for other in LIBRARIES if other != name]
        strangers = [*others, "studio", "flask", "stripe"]
        testing = [] if name == "roomtone_billing" else [f"{name}.testing"]  # billing's hosts test with its extra `offline`
        modules = ", ".join([name, f"{name}.schema", *testing])
        alone = f"import importlib.util as u, {modules}; assert not [m for m in {strangers!r} if u.find_spec(m)]"
        faults += run_alone([built[name]], [["python", "-W", "error", "-c", alone]])
    faults += run_alone(list(built.values()), [["python", "-c", "import studio, studio.app, studio.wiring"], ["studio", "--help"]])
    print("\n".join(faults) or f"{len(built)} wheels hold what they should and install alone.", file=sys.stderr if faults else sys.stdout)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
