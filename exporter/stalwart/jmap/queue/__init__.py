"""The queue of v0.16: its pages, walked and folded."""
