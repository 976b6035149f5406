"""What a Python author imports: decorators, contexts, query builder, routers."""
