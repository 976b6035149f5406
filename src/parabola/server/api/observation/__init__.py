"""What a server tells of itself: logs, figures, advice, and the dashboard that shows them."""
