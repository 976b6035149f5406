"""What the database is about: documents, tables, indexes, intervals of their keys."""
