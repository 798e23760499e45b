"""The SDK's way in without a socket: an HTTP client that hands requests to the API in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import stripe

from .api import NO_ANSWER, Answer, Request

Respond = Callable[[Request], Answer]


class InProcessClient(stripe.HTTPClient):
    """Give it to `stripe.StripeClient("sk_test_...", http_client=...)`; whatever address the SDK has, the offline Stripe answers."""

    name = "offline"

    def __init__(self, respond: Respond) -> None:
        super().__init__()
        self._respond = respond

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, *, _usage: list[str] | None = None
    ) -> tuple[str, int, Mapping[str, str]]:
        """Answer one request of the SDK."""
        address = urlsplit(url)
        text = post_data if isinstance(post_data, str | bytes) else urlencode(post_data or {})
        answer = self._respond(
            Request(
                method=method.lower(),
                path=address.path,
                query=address.query,
                body=text.encode() if isinstance(text, str) else text,
                headers={name.lower(): value for name, value in (headers or {}).items()},
            )
        )
        if answer.status == NO_ANSWER:
            raise stripe.APIConnectionError("The offline Stripe did not answer in time, as the set fault has it.", should_retry=False)  # type: ignore[no-untyped-call]
        return answer.body, answer.status, answer.headers

    def close(self) -> None:
        """Nothing is open."""
