"""The world that functions see: its time, its randomness, its environment, and what it refuses."""
