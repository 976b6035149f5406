"""What administrators change, and what they move in and out."""
