"""Every test that the page of pitfalls names is there."""

from __future__ import annotations

import re

import pytest

NAMED = re.compile(r"`((?:[\w/]+/)?test_\w+\.py)::(test_\w+)`")


@pytest.fixture
def named(request) -> list[tuple[str, str]]:
    return NAMED.findall((request.config.rootpath / "docs/tenancy/pitfalls.md").read_text())


def test_every_pitfall_names_a_test_that_exists(request, named):
    folder = request.config.rootpath / "packages/tenancy/tests"
    missing = [f"{path}::{name}" for path, name in named if not re.search(rf"^ *def {name}\(", _text(folder / path), re.MULTILINE)]

    assert named
    assert not missing


def test_every_row_of_the_page_names_a_test(request):
    page = (request.config.rootpath / "docs/tenancy/pitfalls.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| pitfall")]

    assert [row for row in rows if not NAMED.search(row)] == []


def _text(path) -> str:
    return path.read_text() if path.exists() else ""
