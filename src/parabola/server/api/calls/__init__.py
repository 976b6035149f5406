"""Calling functions: those that are deployed, HTTP actions, and queries that are not deployed."""
