"""What type checkers know about a project's own contexts: see `typed_contexts.pyi`.

The classes in `convex/_generated/server.pyi` are made from those that are declared there. They are for type
checkers alone: at run time contexts are those of `context`.
"""
