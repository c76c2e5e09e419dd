"""The queue of v0.10 to v0.15: walking its pages and adding them up."""
