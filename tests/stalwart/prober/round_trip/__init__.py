"""Tests of the round trip of a message."""
