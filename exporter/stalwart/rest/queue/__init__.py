"""The queue of v0.10 to v0.15: its pages, walked and folded."""
