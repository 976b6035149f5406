"""Values, ids, order, validators and schema: pure, no I/O."""
