"""The transactional, multi-version document database. It does not know that functions exist."""
