"""What people read goes through translation. `apps/studio/tests/test_translations.py` then looks for its French."""

from __future__ import annotations

import ast
from pathlib import Path

STUDIO = Path(__file__).parents[2] / "apps/studio/src/studio"
SHOWN = {"Refused": 0, "BadInput": 1, "flash": 0}


def test_refusals_and_flashes_are_marked_for_translation():
    bare = [
        f"{path.relative_to(STUDIO)}:{node.lineno}"
        for path in STUDIO.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and _is_shown_as_written(node)
    ]

    assert not bare, "wrap the sentence in _()"


def test_no_page_names_the_payment_service():
    named = [
        path.relative_to(STUDIO).as_posix()
        for path in STUDIO.rglob("templates/**/*")
        if path.suffix in {".html", ".txt"} and "demo" not in path.relative_to(STUDIO).parts and "stripe" in path.read_text().lower()
    ]

    assert not named, "people pay us, or their studio; whose pages they type a card into is said by those pages"


def test_only_the_wiring_knows_the_way_to_the_payment_service():
    knowing = [path.name for path in STUDIO.rglob("*.py") if "roomtone_billing.stripe" in path.read_text()]

    assert knowing == ["wiring.py"]


def _is_shown_as_written(call: ast.Call) -> bool:
    place = SHOWN.get(call.func.id) if isinstance(call.func, ast.Name) else None
    return place is not None and len(call.args) > place and isinstance(call.args[place], ast.Constant | ast.JoinedStr)
