"""`stalwart-exporter reports`: the stored reports, printed and exported."""
