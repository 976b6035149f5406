"""The `parabola` command."""
