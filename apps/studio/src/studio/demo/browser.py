"""A browser without a screen: cookies by host, redirects, forms. It seeds the demo and walks `--check` through the pages themselves."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

REDIRECTS_MAX = 10
TIMEOUT_S = 60.0
FRAME_FORMS = frozenset({"/sign-out", "/language"})


class PageError(RuntimeError):
    """A page did not answer as a person would need it to; the message names the page and what it said."""


@dataclass(kw_only=True)
class Form:
    """One form of a page: where it leads and what is filled in."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a request ended in.

    Attributes:
        url: after redirects.
        body: as text.
    """

    url: str
    status: int
    headers: dict[str, str]
    body: str

    @property
    def forms(self) -> list[Form]:
        """The page's forms in order."""
        reader = _FormReader()
        reader.feed(self.body)
        return reader.forms

    @property
    def text(self) -> str:
        """The words of the page, without tags, scripts and runs of blanks."""
        reader = _TextReader()
        reader.feed(self.body)
        return " ".join("".join(reader.parts).split())

    @property
    def csrf_token(self) -> str:
        """The token of the page's meta tag, for a request that no form makes."""
        marker = 'name="csrf-token" content="'
        return self.body.split(marker, 1)[1].split('"', 1)[0] if marker in self.body else ""

    def form(self, *, action: str) -> Form:
        """The first POST form whose action contains these letters; the sign-out and language forms of the frame never count.

        Raises:
            PageError: there is none.
        """
        for form in self.forms:
            if action in form.action and form.method == "post" and form.action not in FRAME_FORMS:
                return form
        raise PageError(f"{self.url} has no form for {action!r}; it says: {self.text[:300]}")


class Browser:
    """Follows redirects and keeps cookies, connecting to loopback whatever `*.localhost` resolves to."""

    def __init__(self, *, locale: str = "en") -> None:
        self._cookies: dict[str, SimpleCookie] = {}
        self._locale = locale

    def get(self, url: str, **headers: str) -> Page:
        """Open a page."""
        return self._follow("GET", url, None, headers)

    def post(self, url: str, values: dict[str, str] | None = None, **headers: str) -> Page:
        """Send values as a form would."""
        return self._follow("POST", url, urlencode(values or {}).encode(), {"Content-Type": "application/x-www-form-urlencoded", **headers})

    def post_json(self, url: str, value: dict[str, Any]) -> Page:  # Any: JSON
        """Send JSON."""
        return self._follow("POST", url, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def submit(self, page: Page, *, action: str, **values: str) -> Page:
        """Fill in a form of the page and send it.

        Raises:
            PageError: the page has no such form, or the form no such field.
        """
        form = page.form(action=action)
        if unknown := set(values) - form.names:
            raise PageError(
                f"the form {form.action} of {page.url} has no field {', '.join(sorted(unknown))}; it has {', '.join(sorted(form.names))}"
            )
        target = urljoin(page.url, form.action)
        filled = {**form.fields, **values}
        return self.post(target, filled) if form.method == "post" else self.get(f"{target}?{urlencode(filled)}")

    def _follow(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> Page:
        for _hop in range(REDIRECTS_MAX):
            page = self._request(method, url, body, headers)
            location = page.headers.get("location") or page.headers.get("hx-redirect")
            if location is None or not (page.status in {301, 302, 303, 307, 308} or page.status == 204):
                return page
            method, url, body, headers = "GET", urljoin(url, location), None, {}
        raise PageError(f"{url} redirects without end")

    def _request(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> Page:
        parts = urlsplit(url)
        host = parts.netloc
        local = parts.hostname is not None and (parts.hostname == "localhost" or parts.hostname.endswith(".localhost"))
        connection = http.client.HTTPConnection("127.0.0.1" if local else str(parts.hostname), parts.port or 80, timeout=TIMEOUT_S)
        jar = self._cookies.setdefault(host, SimpleCookie())
        sent = {"Host": host, "Accept-Language": self._locale, "Accept": "text/html", **headers}
        if jar:
            sent["Cookie"] = "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())
        try:
            connection.request(method, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), body, sent)
            answer = connection.getresponse()
            content = answer.read().decode("utf-8", "replace")
            for cookie in answer.headers.get_all("Set-Cookie") or []:
                jar.load(cookie)
        except OSError as error:
            raise PageError(f"{url} does not answer: {error}") from error
        finally:
            connection.close()
        return Page(url=url, status=answer.status, headers={k.lower(): v for k, v in answer.headers.items()}, body=content)


class _FormReader(HTMLParser):
    """Collects forms with the values that a browser would send untouched."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None
        self._select: str | None = None
        self._textarea: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a form, or note a field of the open one."""
        given = dict(attrs)
        if tag == "form":
            self._open = Form(method=(given.get("method") or "get").lower(), action=given.get("action") or given.get("hx-post") or "")
            self.forms.append(self._open)
        elif self._open is not None and tag in {"input", "select", "textarea", "option", "button"}:
            self._field(self._open, tag, given)

    def _field(self, form: Form, tag: str, given: dict[str, str | None]) -> None:
        name = given.get("name")
        if tag == "option":
            if self._select and ("selected" in given or self._select not in form.fields):
                form.fields[self._select] = given.get("value") or ""
            return
        if not name or "disabled" in given:
            return
        form.names.add(name)
        if tag == "select":
            self._select = name
        elif tag == "textarea":
            self._textarea, form.fields[name] = name, ""
        elif tag == "input" and _is_sent(given):
            form.fields[name] = given.get("value") or ("on" if given.get("type") == "checkbox" else "")

    def handle_data(self, data: str) -> None:
        """Text between textarea tags is its value."""
        if self._textarea and self._open:
            self._open.fields[self._textarea] += data

    def handle_endtag(self, tag: str) -> None:
        """Close what was opened."""
        if tag == "form":
            self._open = None
        elif tag == "select":
            self._select = None
        elif tag == "textarea":
            self._textarea = None


def _is_sent(given: dict[str, str | None]) -> bool:
    """Whether a browser sends this input when nobody touched the form."""
    kind = given.get("type")
    return kind not in {"submit", "button", "file"} and (kind not in {"checkbox", "radio"} or "checked" in given)


class _TextReader(HTMLParser):
    """Collects the words of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002  # HTMLParser's signature
        """Leave out scripts and styles."""
        self._silent += tag in {"script", "style", "template"}
        self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        """Back to words."""
        self._silent -= tag in {"script", "style", "template"}

    def handle_data(self, data: str) -> None:
        """Keep visible text."""
        if not self._silent:
            self.parts.append(data)
