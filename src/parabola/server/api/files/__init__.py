"""Storing files and getting them."""
