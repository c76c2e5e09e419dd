"""Prometheus rules made from one file of thresholds."""
