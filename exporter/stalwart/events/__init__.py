"""The meaning of events: names, delivery attempts and outcomes, and the log lines and traces that carry them."""
