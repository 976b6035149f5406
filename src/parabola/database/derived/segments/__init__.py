"""Segments: what text and vector indexes are made of, in memory and in files."""
