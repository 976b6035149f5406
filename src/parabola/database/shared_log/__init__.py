"""One order of commits for several nodes: the log they share, and each node's copy of the data."""
