"""Type hints of Python functions, read as validators."""
