"""Bank transfers and inserts: Parabola beside servers that a person would write by hand for the same."""
