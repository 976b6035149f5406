"""A push in its steps: analysis, schema, indexes, packages, variables, the switch."""
