"""The sync protocol without I/O, and its WebSocket shell."""
