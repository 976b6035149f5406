"""`_system/...` functions, in Python: what the command line and the dashboard call (deploy-api §19)."""
