"""The management API of v0.10-v0.15: its answers, read into the model."""
