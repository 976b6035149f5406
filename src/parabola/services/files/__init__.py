"""Stored files: rows in the database, bytes in a directory or an object store."""
