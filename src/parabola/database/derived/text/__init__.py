"""Text indexes: documents by the words in them (search 1)."""
