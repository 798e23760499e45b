"""An offline Stripe: the official SDK, Checkout, the customer portal and webhooks, without the network and with time travel."""

from .chaos import Chaos
from .courier import post_to_app
from .errors import CardDeclined, IdempotencyMismatch, InvalidRequest, NotSupported, OfflineOnly, ShapeMismatch, StripeError
from .offline_stripe import OfflineStripe

__all__ = [
    "CardDeclined",
    "Chaos",
    "IdempotencyMismatch",
    "InvalidRequest",
    "NotSupported",
    "OfflineOnly",
    "OfflineStripe",
    "ShapeMismatch",
    "StripeError",
    "post_to_app",
]
