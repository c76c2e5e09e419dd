"""`stalwart-exporter check-config`: the configuration as the daemon would load it, or every problem."""
