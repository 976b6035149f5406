"""Imports of snapshots and tables, from the upload to the switch."""
