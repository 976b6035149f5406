"""The HTTP API: one file an endpoint or a family of them."""
