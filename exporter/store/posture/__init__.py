"""The history of checks: the latest result of each, and when it changed."""
