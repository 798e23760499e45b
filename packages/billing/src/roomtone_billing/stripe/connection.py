"""The SDK's client behind one key, and its failures as ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import stripe

from ..errors import GatewayRefused, GatewayUnavailable, MalformedTruth

# The limit of the API: https://docs.stripe.com/api/pagination
PAGE_MAX = 100


class Connection:
    """What every part of the gateway shares; `StripeGateway` says what the arguments mean."""

    def __init__(
        self,
        api_key: str,
        *,
        webhook_secrets: Sequence[str],
        base_url: str | None = None,
        http_client: stripe.HTTPClient | None = None,
        timeout_s: float = 20,
        retries_max: int = 2,
    ) -> None:
        self.webhook_secrets = tuple(webhook_secrets)
        self.livemode = api_key.startswith(("sk_live_", "rk_live_"))
        self._client = stripe.StripeClient(
            api_key,
            base_addresses={"api": base_url} if base_url else None,
            http_client=http_client or stripe.RequestsClient(timeout=timeout_s),
            max_network_retries=retries_max,
        ).v1


@contextmanager
def asking() -> Iterator[None]:
    """Turn the SDK's errors into ours: worth another try, or not."""
    try:
        yield
    except (stripe.APIConnectionError, stripe.RateLimitError) as error:
        raise GatewayUnavailable(str(error)) from error
    except stripe.StripeError as error:
        status = error.http_status or 500
        # 409 and 429 pass; so does an answer that is no JSON, which comes from something between Stripe and us.
        if 400 <= status < 500 and status not in {409, 429}:
            # Some of the SDK's errors, that of a lacking permission among them, have their code in the body alone.
            code = error.code or (error.error.code if error.error else None)
            raise GatewayRefused(str(error), code) from error
        raise GatewayUnavailable(f"HTTP {status}: {error}") from error
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise MalformedTruth("an answer of Stripe", f"{type(error).__name__} {error}") from error


def plain(things: Sequence[stripe.StripeObject]) -> list[dict[str, Any]]:
    """As dictionaries, all the way down."""
    return [thing.to_dict() for thing in things]
