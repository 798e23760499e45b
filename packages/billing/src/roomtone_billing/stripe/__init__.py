"""The real Stripe, through its SDK; needs the extra `stripe`. Nothing else in this package imports the SDK."""

from .gateway import StripeGateway

__all__ = ["StripeGateway"]
