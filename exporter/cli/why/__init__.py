"""`stalwart-exporter why`: what happened to a message, in words and with the evidence."""
