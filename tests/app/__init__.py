"""Tests of how the parts of the daemon are put together."""
