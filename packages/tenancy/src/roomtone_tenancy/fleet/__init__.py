"""Work on all tenants: migrations in waves, checks of their databases, calls for each of them."""
