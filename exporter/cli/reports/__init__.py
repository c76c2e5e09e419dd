"""`stalwart-exporter reports`: the stored reports, on the terminal and exported."""
