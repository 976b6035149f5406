"""One call of a function: what is checked before it, its attempts, its end."""
