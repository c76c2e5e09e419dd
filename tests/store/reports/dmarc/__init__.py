"""Tests of what reports say about a domain and its sources."""
