"""The page of settings says what `studio/config.py` says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from studio.config import Settings

HERE = Path(__file__).parent


def test_the_table_of_settings_is_up_to_date():
    checked = subprocess.run([sys.executable, HERE / "settings_table.py", "--check"], check=False, capture_output=True, text=True)

    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_says_what_it_means(name):
    description = Settings.model_fields[name].description

    assert description
    assert description.endswith(".")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_used(name):
    sources = (Path(sys.modules["studio"].__file__).parent).rglob("*.py")

    assert any(f".{name}" in path.read_text() for path in sources if path.name not in {"config.py", "launcher.py"})
