"""The demo: a simulated server through its day, the exporter, and a Prometheus beside them."""
