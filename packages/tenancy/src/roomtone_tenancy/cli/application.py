"""The Tenancy that commands work with: loaded by the first that needs it, so that help needs none."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import update_wrapper
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from ..tenancy import Tenancy

DEFAULT = "tenants:tenancy"
"""What `init` writes."""
F = TypeVar("F", bound=Callable[..., Any])  # a command's function


class Application:
    """Where the Tenancy comes from.

    Args:
        load: makes it, or gives one that somebody else disposes of.
        is_ours: whether to dispose of it.
    """

    def __init__(self, load: Callable[[], Tenancy], *, is_ours: bool) -> None:
        self._load, self._is_ours = load, is_ours
        self._loaded: list[Tenancy] = []
        self._ends = ExitStack()

    @property
    def tenancy(self) -> Tenancy:
        """The same at every call."""
        if not self._loaded:
            self._loaded.append(self._load())
            if self._is_ours:
                self._ends.callback(self._loaded[0].dispose)
        return self._loaded[0]

    def close(self) -> None:
        """Dispose of it, if it was needed and is ours."""
        self._ends.close()


def named(target: str) -> Application:
    """The Tenancy that a function without arguments gives, `module:function`."""

    def load() -> Tenancy:
        module, _, name = target.partition(":")
        sys.path.insert(0, str(Path.cwd()))
        try:
            tenancy = getattr(importlib.import_module(module), name or "tenancy")()
        except (ImportError, AttributeError) as error:
            advice = " Name yours, or begin with `tenancy init`." if target == DEFAULT else ""
            raise click.BadParameter(f"{target!r} cannot be loaded: {error}.{advice}", param_hint="--app") from error
        if not isinstance(tenancy, Tenancy):
            raise click.BadParameter(f"{target!r} gives a {type(tenancy).__name__}, not a Tenancy.", param_hint="--app")
        return tenancy

    return Application(load, is_ours=True)


def pass_tenancy(command: F) -> F:
    """Give a command's function the Tenancy as its first argument."""

    def with_tenancy(*arguments: Any, **options: Any) -> Any:  # the command's own
        context = click.get_current_context()
        application = context.find_object(Application)
        assert application is not None
        return context.invoke(command, application.tenancy, *arguments, **options)

    return cast(F, update_wrapper(with_tenancy, command))  # what Click calls: the arguments but the first
