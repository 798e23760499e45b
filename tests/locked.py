"""Writes or checks `locked.txt`: every dependency with its hashes, as resolved on the date that `exclude-newer` fixes.

`uv.lock` itself names registry hosts and stays out of git; this record names none. See docs/decisions/0003-locked.md.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RECORD = Path(__file__).parent.parent / "locked.txt"
HEADER = "# Every dependency with its hashes. Written by `uv run python -m tests.locked`; checked by `uv run nox -s lint`.\n"


def resolved() -> str:
    """The record as it should be now."""
    command = [
        "uv",
        "export",
        "--quiet",
        "--format",
        "requirements-txt",
        "--all-packages",
        "--all-extras",
        "--all-groups",
        "--no-emit-workspace",
        "--no-header",
    ]
    return HEADER + subprocess.run(command, check=True, capture_output=True, text=True, cwd=RECORD.parent).stdout


def main() -> int:
    """Write the record, or with `--check` compare."""
    now = resolved()
    if "--check" not in sys.argv:
        RECORD.write_text(now)
        return 0
    if RECORD.exists() and RECORD.read_text() == now:
        return 0
    print("locked.txt is not what is resolved; run `uv run python -m tests.locked` and commit it.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
