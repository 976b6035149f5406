"""Snapshots as archives: their format, and exports."""
