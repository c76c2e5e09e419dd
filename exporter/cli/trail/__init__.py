"""`stalwart-exporter trail`: the kept messages and refusals, printed and exported."""
