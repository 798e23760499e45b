"""Writes the table of settings into docs/studio/settings.md, or with `--check` says whether it is true.

Run as `uv run python tests/documented/settings_table.py`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from studio.config import Settings

PAGE = Path(__file__).parents[2] / "docs/studio/settings.md"
BETWEEN = re.compile(r"(?<=<!-- settings -->\n).*(?=<!-- /settings -->)", re.DOTALL)


def table() -> str:
    """The settings as Markdown, in the order of `studio/config.py`."""
    rows = ["", "| name | default | values | meaning |", "|---|---|---|---|"]
    rows += [_row(name, field) for name, field in Settings.model_fields.items()]
    return "\n".join(rows) + "\n\n"


def page() -> str:
    """The page as it should be."""
    return BETWEEN.sub(lambda _found: table(), PAGE.read_text())


def _row(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias if isinstance(field.validation_alias, str) else f"STUDIO_{name.upper()}"
    default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    shown = "unset" if default is None else f"`{str(default).lower() if isinstance(default, bool) else default}`"
    meaning = str(field.description or "").replace("|", "\\|").replace("<", "&lt;")
    return f"| `{alias}` | {shown} | {_values(field)} | {meaning} |"


def _values(field: FieldInfo) -> str:
    """What may be given: choices, bounds, or the kind of value."""
    text = str(field.annotation)
    if choices := re.search(r"Literal\[(.*?)\]", text):
        return ", ".join(f"`{choice.strip(chr(39))}`" for choice in choices[1].split(", "))
    bounds = {name: getattr(part, name) for part in field.metadata for name in ("ge", "le") if hasattr(part, name)}
    kinds = {"SecretStr": "secret", "Path": "folder", "bool": "`true`, `false`", "int": "whole number", "str": "text"}
    kind = next(word for key, word in kinds.items() if key in text)
    return f"{bounds.get('ge', '')} to {bounds.get('le', '')}" if bounds else kind


def main() -> int:
    """Write, or compare."""
    if "--check" not in sys.argv:
        PAGE.write_text(page())
        return 0
    if PAGE.read_text() == page():
        return 0
    print("docs/studio/settings.md is out of date; run `uv run python tests/documented/settings_table.py`.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
