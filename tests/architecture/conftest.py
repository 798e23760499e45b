"""What the tests of the tree share: the files that git knows or would add, and the packages."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Package:
    """One distribution's import package and its tests."""

    name: str
    source: Path
    tests: Path


PACKAGES = {
    name: Package(name=name, source=ROOT / folder / "src" / name, tests=ROOT / folder / "tests")
    for name, folder in {
        "roomtone_tenancy": "packages/tenancy",
        "roomtone_billing": "packages/billing",
        "roomtone_ai_credits": "packages/ai_credits",
        "studio": "apps/studio",
    }.items()
}


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def files() -> list[Path]:
    """Every file in git, and every new one that is not ignored."""
    listed = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True)
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


@pytest.fixture(params=sorted(PACKAGES))
def package(request: pytest.FixtureRequest) -> Package:
    return PACKAGES[request.param]
