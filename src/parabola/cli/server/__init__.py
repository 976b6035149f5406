"""What `serve` and `dev` have in common: a server in this very process."""
