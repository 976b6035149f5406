"""What becomes of a call: result or failure, log lines, an entry in the log."""
