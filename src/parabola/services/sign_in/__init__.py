"""Who may come in: tokens of users, and admin keys."""
