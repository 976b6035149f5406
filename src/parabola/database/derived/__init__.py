"""Text and vector indexes: derived from committed documents, read at a timestamp (search 1 and 2)."""
