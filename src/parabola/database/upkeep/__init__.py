"""What runs beside transactions: new indexes, old history, checks of the disk."""
