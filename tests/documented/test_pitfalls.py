"""Every test that a page of pitfalls names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

NAMED = re.compile(r"`((?:[\w/]+/)?test_\w+\.py)::(test_\w+)`")


@pytest.fixture(params=[("tenancy", "tenancy"), ("billing", "billing"), ("ai-credits", "ai_credits")], ids=lambda area: area[0])
def page(request) -> tuple[str, Path]:
    """A page of pitfalls, and the folder of the tests it names."""
    area, package = request.param
    return (request.config.rootpath / f"docs/{area}/pitfalls.md").read_text(), request.config.rootpath / f"packages/{package}/tests"


def test_every_pitfall_names_a_test_that_exists(page):
    named, folder = NAMED.findall(page[0]), page[1]
    missing = [f"{path}::{name}" for path, name in named if not re.search(rf"^ *def {name}\(", _text(folder / path), re.MULTILINE)]

    assert named
    assert not missing


def test_every_row_of_the_page_names_a_test(page):
    rows = [line for line in page[0].splitlines() if line.startswith("| ") and not line.startswith("| pitfall")]

    assert [row for row in rows if not NAMED.search(row)] == []


def _text(path) -> str:
    return path.read_text() if path.exists() else ""
