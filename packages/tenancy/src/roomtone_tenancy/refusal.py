"""Why a request is not let in, and the page that says so. Pure: adapters send it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from http import HTTPStatus

from .tenant import Tenant


class Reason(StrEnum):
    """What stands in a request's way. The statuses follow RFC 9110; `SENTENCES` has what a visitor reads.

    A suspended tenant is 403 and not 503: the server is well and will not serve this, however often it is asked. An archived one is
    410: links to it should be forgotten. 503 is left for what passes by itself.
    """

    BAD_HOST = "bad_host"
    CONFLICT = "conflict"
    UNKNOWN = "unknown"
    PREPARING = "preparing"
    SUSPENDED = "suspended"
    ARCHIVED = "archived"
    READ_ONLY = "read_only"
    BUSY = "busy"


STATUSES: Mapping[Reason, HTTPStatus] = {
    Reason.BAD_HOST: HTTPStatus.BAD_REQUEST,
    Reason.CONFLICT: HTTPStatus.BAD_REQUEST,
    Reason.UNKNOWN: HTTPStatus.NOT_FOUND,
    Reason.PREPARING: HTTPStatus.SERVICE_UNAVAILABLE,
    Reason.SUSPENDED: HTTPStatus.FORBIDDEN,
    Reason.ARCHIVED: HTTPStatus.GONE,
    Reason.READ_ONLY: HTTPStatus.FORBIDDEN,
    Reason.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
}
SENTENCES: Mapping[Reason, str] = {
    Reason.BAD_HOST: "The address of this request cannot be read.",
    Reason.CONFLICT: "This request names two different sites. Sign in again and go on from there.",
    Reason.UNKNOWN: "There is no site at this address.",
    Reason.PREPARING: "This site is being prepared. Try again in a moment.",
    Reason.SUSPENDED: "This site is suspended at the moment.",
    Reason.ARCHIVED: "This site is closed.",
    Reason.READ_ONLY: "This site can only be read at the moment. Nothing was saved.",
    Reason.BUSY: "This site cannot answer at the moment. Try again in a moment.",
}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1rem;color-scheme:light dark}}</style>
</head><body><main><h1>{title}</h1><p>{sentence}</p></main></body></html>
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A request that is not let in.

    Args:
        host: as it was sent.
        tenant: whose site it is; None when that is not known.
        retry_after_s: when to try again, seconds; None when waiting does not help.
    """

    reason: Reason
    host: str = ""
    tenant: Tenant | None = None
    retry_after_s: int | None = None

    @property
    def status(self) -> int:
        """The status of the answer."""
        return int(STATUSES[self.reason])


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """An answer in full."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def page(refusal: Refusal, accept: str = "") -> Page:
    """The answer to a refused request: a small page, or problem details where JSON is preferred. It does not name the tenant.

    Args:
        accept: the request's Accept header.

    Source: RFC 9457.
    """
    status = STATUSES[refusal.reason]
    title, sentence = status.phrase, SENTENCES[refusal.reason]
    headers = {"Cache-Control": "no-store", "Vary": "Accept", "X-Content-Type-Options": "nosniff"}
    if refusal.retry_after_s is not None:
        headers["Retry-After"] = str(refusal.retry_after_s)
    if wants_json(accept):
        problem = {"type": "about:blank", "title": title, "status": int(status), "detail": sentence, "reason": str(refusal.reason)}
        return Page(status=int(status), headers=headers | {"Content-Type": "application/problem+json"}, body=json.dumps(problem).encode())
    headers |= {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return Page(status=int(status), headers=headers, body=PAGE.format(title=escape(title), sentence=escape(sentence)).encode())


def wants_json(accept: str) -> bool:
    """Whether an Accept header likes JSON better than a page. Source: RFC 9110 section 12.5.1."""
    qualities = dict(_range(part) for part in accept.lower().split(","))
    html = next((qualities[name] for name in ("text/html", "text/*", "*/*") if name in qualities), 0.0)
    return max(qualities.get(name, 0.0) for name in ("application/problem+json", "application/json", "application/*")) > html


def _range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip() for piece in part.split(";"))
    quality = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
    try:
        return name, float(quality)
    except ValueError:
        return name, 0.0
