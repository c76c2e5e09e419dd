"""Queue control of v0.10 to v0.15."""
