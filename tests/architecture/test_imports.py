"""Imports that import-linter cannot name, because nothing imports them yet."""

from __future__ import annotations

import ast

TEST_TOOLS = {"pytest", "hypothesis", "unittest", "sybil", "playwright", "time_machine"}
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager", "managers"}


def test_test_tools_are_imported_by_testing_modules_only(package):
    found = {
        f"{path.name}: {name}"
        for path in package.source.rglob("*.py")
        if "testing" not in {path.stem, path.parent.name}
        for name in _imported(path.read_text())
        if name in TEST_TOOLS
    }

    assert not found


def test_no_module_has_a_name_that_says_nothing(package):
    assert not [path for path in package.source.rglob("*.py") if path.stem in VAGUE or path.parent.name in VAGUE]


def test_tests_folders_are_no_packages(files):
    assert not [path for path in files if path.name == "__init__.py" and "tests" in path.parts and path.parent.name != "tests"]


def _imported(source: str) -> set[str]:
    """The top-level packages that a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names
