"""A word in the morning for who sells, and alerts for who keeps the warehouse."""
