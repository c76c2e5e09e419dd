"""The queue of v0.16: walking its pages and adding them up."""
