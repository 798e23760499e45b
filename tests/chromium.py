"""Finds a Chromium for the browser tests, or installs one, or says how."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
HOW = (
    "No Chromium was found and none could be installed. Install Debian's package `chromium`, or Google Chrome, "
    "or run `uv run playwright install chromium`, or set CHROMIUM to a browser's path."
)


def find() -> str | None:
    """The path of an installed Chromium; an empty text for Playwright's own; None when there is none."""
    if given := os.environ.get("CHROMIUM"):
        return given
    for name in NAMES:
        if path := shutil.which(name):
            return path
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return "" if Path(playwright.chromium.executable_path).exists() else None


def install() -> None:
    """Install Debian's package when we are root on a Debian, else Playwright's own browser."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        if subprocess.run(["apt-get", "install", "-y", "-qq", "chromium"], check=False).returncode == 0:
            return
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


def main() -> int:
    """Make sure that there is one."""
    if find() is None:
        install()
    found = find()
    print(HOW if found is None else f"Chromium: {found or 'from Playwright'}", file=sys.stderr if found is None else sys.stdout)
    return int(found is None)


if __name__ == "__main__":
    sys.exit(main())
