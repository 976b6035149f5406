"""The modules of a deployment: read, linked, and what they define."""
