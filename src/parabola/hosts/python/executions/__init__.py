"""Running functions: one kind of call each, and what they share."""
