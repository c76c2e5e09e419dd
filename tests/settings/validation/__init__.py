"""Tests of what settings must fulfil together."""
