"""stalwart-exporter: monitoring daemon and Prometheus exporter for the Stalwart mail server."""

__version__ = "0.1.0"
