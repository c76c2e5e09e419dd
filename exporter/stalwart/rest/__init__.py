"""Stalwart v0.10 to v0.15: the REST management API."""
