"""The management objects of v0.16."""
