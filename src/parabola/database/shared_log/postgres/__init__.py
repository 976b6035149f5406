"""The shared log in PostgreSQL: a row for each entry, and one row that says where the log ends."""
