"""Studio: a SaaS that runs recording studios, one database per studio. `create_app()` gives the WSGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from studio.app import HostDispatcher

__all__ = ["create_app"]


def create_app(*arguments: Any, **options: Any) -> HostDispatcher:  # Any: passed on unchanged to studio.app.create_app
    """Build the WSGI application; see `studio.app.create_app`. Imported lazily so that the CLI starts at once."""
    from studio.app import create_app as build

    return build(*arguments, **options)
