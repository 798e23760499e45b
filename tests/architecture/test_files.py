"""No file names a package registry's host or a path of somebody's machine."""

from __future__ import annotations

import re
from pathlib import Path

# Written in parts, so that this file passes its own test.
REGISTRIES = [f"{name}.{end}" for name, end in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"))]
REGISTRIES += [f"{name}.{end}" for name, end in (("yarnpkg", "com"), ("jsdelivr", "net"), ("unpkg", "com"), ("npmmirror", "com"))]
MACHINE = re.compile("|".join(["/" + "work/", "/" + "tmp/plan", "/" + "root/", "/" + "home/[a-z]", "/" + "Users/[a-z]"]))


def test_no_file_names_a_registrys_host(files, root):
    found = [f"{path.relative_to(root)}: {host}" for path in files for host in REGISTRIES if host in _text(path)]

    assert not found


def test_no_file_names_a_path_of_a_machine(files, root):
    found = [f"{path.relative_to(root)}: {match[0]}" for path in files if (match := MACHINE.search(_text(path)))]

    assert not found


def test_nothing_built_is_in_git(files, root):
    built = {"node_modules", "dist", "site", "__pycache__"}

    assert not [path for path in files if built & set(path.relative_to(root).parts) or path.suffix in {".mo", ".pyc"}]


def _text(path: Path) -> str:
    """The file's text; empty for a binary file."""
    content = path.read_bytes()
    return "" if b"\0" in content else content.decode(errors="replace")
