"""The daemon: the one place that knows everybody."""
