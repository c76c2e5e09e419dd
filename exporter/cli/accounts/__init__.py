"""``stalwart-exporter accounts``."""
