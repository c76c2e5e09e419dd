"""Queue control of v0.16 and newer."""
