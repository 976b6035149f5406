"""What a running function may ask for."""
