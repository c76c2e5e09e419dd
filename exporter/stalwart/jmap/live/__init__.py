"""Live streams of v0.16."""
