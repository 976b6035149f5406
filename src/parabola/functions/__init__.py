"""Running deployed functions: transactions, retries, query cache, limits, logs."""
