"""Vector indexes: documents by the direction of a vector (search 2)."""
