"""Named points at which the crash tests kill the process; nothing happens at them otherwise."""

from __future__ import annotations


def point(name: str) -> None:
    """Mark a moment after which a killed process leaves work half done. The crash tests replace this function."""
