"""The shipped part of Stripe's OpenAPI document, and the script that cuts it."""
