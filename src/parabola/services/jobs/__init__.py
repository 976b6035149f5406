"""What runs later: scheduled functions and crons."""
