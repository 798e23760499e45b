"""What examples may use without setting it up: a new empty PostgreSQL database and a temporary folder."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATTERNS = ("README.md", "docs/**/*.md", "packages/*/README.md", "apps/*/README.md")
DOCUMENTS = sorted(path for pattern in PATTERNS for path in ROOT.glob(pattern))


@pytest.fixture(params=DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def document(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def namespace(request: pytest.FixtureRequest, document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The names that an example finds: `folder`, which is also where it runs, and `database_url` where the document mentions it."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"folder": tmp_path}
    if "database_url" in document.read_text():
        names["database_url"] = request.getfixturevalue("database_url")
    return names
