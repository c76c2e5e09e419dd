"""`stalwart-exporter domains`: the results of domain checks, and the records that make them good."""
