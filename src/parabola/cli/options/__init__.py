"""Options: what flags, environment variables and files say, and how it is written."""
