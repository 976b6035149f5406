"""Results of queries that are still true, and those who watch them."""
