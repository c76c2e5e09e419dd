"""`stalwart-exporter doctor`: what a key may read, and what is missing."""
