"""No test is skipped everywhere: what a library is tested without, alone, is tested beside the app."""

from __future__ import annotations

import re

ABSENT_ALONE = re.compile(r"""importorskip\(["'](?:flask|boto3|moto)""")


def test_what_is_skipped_alone_runs_beside_the_app(root):
    written = (root / "noxfile.py").read_text()

    skipped = {path.relative_to(root).as_posix() for path in root.glob("packages/*/tests/**/*.py") if ABSENT_ALONE.search(path.read_text())}

    assert skipped
    assert {name for name in skipped if f'"{name}"' not in written} == set()
