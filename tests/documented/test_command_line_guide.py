"""The commands of the guide to the command line run, in the order in which they are read, in a person's shell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs/tenancy/how-to/command-line.md"


def test_the_guides_commands_run(tmp_path):
    programs, folder = tmp_path / "bin", tmp_path / "shop"
    for each in (programs, folder):
        each.mkdir()
    _program(programs / "tenancy", "from roomtone_tenancy.cli import main; main()")
    if shutil.which("sqlite3") is None:
        _program(programs / "sqlite3", "import sqlite3, sys; print(sqlite3.connect(sys.argv[-1]).execute(sys.stdin.read()).fetchone()[0])")
    script = "\n".join(re.findall(r"```bash\n(.*?)```", GUIDE.read_text(), re.DOTALL))

    result = subprocess.run(
        ["/bin/sh", "-e", "-c", script],
        stdin=subprocess.DEVNULL,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert "acme: active on main\nacme\tactive\t0001\tmain\tacme.example\n" in result.stdout
    assert "\nacme\n0\nacme\n" in result.stdout  # the two consoles, and the list through `cut`
    assert "acme: would be deleted\nall is well" in result.stdout


def _program(path: Path, code: str) -> None:
    path.write_text(f"#!{sys.executable}\n{code}\n")
    path.chmod(0o755)
