"""Tests of the names of sources."""
