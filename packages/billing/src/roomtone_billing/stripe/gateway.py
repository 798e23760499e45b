"""The gateway that asks Stripe: one part per topic, as in `roomtone_billing.gateway`."""

from __future__ import annotations

from .changes import StripeChanges
from .checkouts import StripeCheckouts
from .closings import StripeClosings
from .connect import StripeConnect
from .customers import StripeCustomers
from .details import StripeDetails
from .discounts import StripeDiscounts
from .lists import StripeLists
from .meters import StripeMeters
from .packs import StripePacks
from .portal import StripePortal
from .prices import StripePrices
from .refunds import StripeRefunds
from .subscriptions import StripeSubscriptions


class StripeGateway(
    StripeCustomers,
    StripeChanges,
    StripeCheckouts,
    StripeClosings,
    StripeConnect,
    StripeDetails,
    StripeLists,
    StripeMeters,
    StripePacks,
    StripePortal,
    StripePrices,
    StripeRefunds,
    StripeSubscriptions,
    StripeDiscounts,
):
    """Speaks to Stripe with one secret key. Safe to share between threads.

    Args:
        api_key: a secret or restricted key; `sk_live_` and `rk_live_` keys mean live mode.
        webhook_secrets: the endpoint's signing secrets, more than one while rotating; with none every webhook is refused.
        base_url: where the API is, without a final slash; default Stripe's.
        http_client: one of the SDK's clients; default `requests` with `timeout_s`.
        timeout_s: seconds to wait for an answer, of the default client only.
        retries_max: how often the SDK repeats a call that failed in passing; it sends the same idempotency key.
    """
