"""Executors: transactions beside the code (docs/explanation/executors.md)."""
