"""Making writes permanent, in an order, and finding who is touched by them."""
