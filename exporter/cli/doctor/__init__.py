"""`stalwart-exporter doctor`: what a key may do, and what is missing."""
