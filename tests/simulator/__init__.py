"""Tests of the stand-in server."""
