"""`stalwart-exporter webhook`: the settings of a server that posts to the exporter."""
