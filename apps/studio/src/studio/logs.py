"""Structured log lines: one event a line, never a secret, always the studio they belong to."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

import structlog

SECRET_WORDS = ("password", "token", "secret", "authorization", "cookie", "api_key", "keyring", "database_url", "smtp_url")


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # Any: log values
    """Blank out values whose names say that they are secrets."""
    for name in event:
        if any(word in name.lower() for word in SECRET_WORDS):
            event[name] = "[redacted]"
    return event


def _console() -> structlog.dev.ConsoleRenderer:
    """For people: tracebacks without the values of variables, among which are secrets."""
    return structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)


def configure(log_format: str) -> None:
    """Set up logging for this process: `json` for machines, `console` for people."""
    renderer: Any = structlog.processors.JSONRenderer() if log_format == "json" else _console()  # Any: a processor
    shared: list[Any] = [  # Any: processors have no common public type
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    structlog.configure(
        processors=[*shared, *([structlog.processors.format_exc_info] if log_format == "json" else []), renderer],
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
