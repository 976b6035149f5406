"""What type checkers are told about a project's tables and functions, for authors who write Python."""
