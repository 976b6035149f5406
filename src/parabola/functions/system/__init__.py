"""The `_system/...` functions that the CLI and admin tools call, answered natively."""
