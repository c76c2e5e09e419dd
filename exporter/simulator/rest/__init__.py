"""The REST management API of v0.10 to v0.15."""
