"""HTTP and WebSocket: what the wire looks like, and nothing else."""
