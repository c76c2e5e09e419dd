"""`queue`: list, show, retry and cancel queued messages, pause and resume deliveries."""
