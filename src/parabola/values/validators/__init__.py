"""Validators: what they accept, how they are described, what they make of a result."""
