"""What examples may use without setting it up: a new empty PostgreSQL database, a temporary folder, and what the tutorial made."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

ROOT = Path(__file__).parents[2]
PATTERNS = ("README.md", "docs/**/*.md", "packages/*/README.md", "apps/*/README.md")
SYBIL = Sybil(parsers=[PythonCodeBlockParser(doctest_optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)])
GOES_ON = "The examples go on from the [tutorial](../tutorial.md)"
DOCUMENTS = sorted(path for pattern in PATTERNS for path in ROOT.glob(pattern))


@pytest.fixture(params=DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def document(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def sybil() -> Sybil:
    return SYBIL


@pytest.fixture
def namespace(request: pytest.FixtureRequest, document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The names that an example finds: `folder`, which is also where it runs, `database_url` where the document mentions it, and
    those of the tutorial where it goes on from there.
    """
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"folder": tmp_path}
    if GOES_ON in document.read_text():
        names |= _after(document.parent / "../tutorial.md")
    if "database_url" in document.read_text():
        names["database_url"] = request.getfixturevalue("database_url")
    return names


def _after(tutorial: Path) -> dict[str, object]:
    """The names that there are when a document has been followed to its end."""
    followed = SYBIL.parse(tutorial.resolve())
    for example in followed.examples():
        example.evaluate()
    return {name: value for name, value in followed.namespace.items() if not name.startswith("__")}
