"""The processes that hold user code: starting, watching, sharing, replacing them."""
