"""Received reports of v0.16."""
