"""The host of functions written in Python."""
