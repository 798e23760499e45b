"""The shapes of Stripe's resources and the changes each can go through; one module per noun."""
