"""Tests of the process among others."""
