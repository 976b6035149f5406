"""HTTP actions: which one answers a request, and both bodies as they come."""
