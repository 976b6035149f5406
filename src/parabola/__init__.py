"""Parabola: the Convex reactive backend, written in Python."""

__version__ = "0.1.0"
