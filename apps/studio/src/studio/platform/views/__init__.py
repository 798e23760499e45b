"""The platform's pages: those on its own host, and those about sign-in and plan on every studio's host."""
