"""The processes that hold user code. They meet the engine only at the host protocol."""
