"""Received reports: the collector, its inbox and its gauges."""
