"""Converts state to metric families, and keeps the bytes ready that a scrape copies."""
