"""The operations of the API under /v1; one module per resource."""
