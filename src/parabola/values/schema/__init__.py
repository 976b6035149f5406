"""Schemas: tables, their validators and indexes."""
