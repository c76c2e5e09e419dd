"""What events mean: their names, what they say of a delivery attempt, and the log lines and traces that hold them."""
